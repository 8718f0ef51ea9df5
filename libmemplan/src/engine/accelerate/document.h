/* SPDX-License-Identifier: MIT */
/* JSON that a caller hands over in memory, and the budgets it may hold. */
#ifndef MPL_ENGINE_ACCELERATE_DOCUMENT_H
#define MPL_ENGINE_ACCELERATE_DOCUMENT_H

#include "base/json.h"
#include "base/text.h"
#include "engine/accelerate/amount.h"

/* Parses a text that no padding follows. Free with mpl_json_free(). */
memplan_status mpl_document_parse(mpl_json **out, const char *text,
                                  uint64_t text_bytes, memplan_error *error);

/* A number of bytes; false for what is no number. Beyond 2^57 is 2^57. */
bool mpl_document_amount(mpl_json_value value, mpl_amount *out);

/* Writes an amount as Python does: 12, or 12.5 and 12.0 for a float. */
void mpl_document_write(mpl_text *text, mpl_amount amount);

#endif
