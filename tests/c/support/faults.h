/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail on demand. A test that is linked with
 * memplan_fault_test() has malloc, calloc, realloc, mmap and C++'s new of the
 * library pass through here; the library's objects stay as they are.
 */
#ifndef MEMPLAN_TESTS_FAULTS_H
#define MEMPLAN_TESTS_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From now on the `n`-th allocation (from 0) fails, and no other. */
void faults_arm(uint64_t n);

/* No more failures. True if one has happened since faults_arm(). */
bool faults_disarm(void);

#ifdef __cplusplus
}
#endif

#endif
