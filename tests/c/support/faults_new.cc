/* SPDX-License-Identifier: MIT */
/* C++'s new, by way of the malloc that may fail: simdjson's memory. */
#include <cstdlib>
#include <new>

void *operator new(std::size_t size)
{
    void *const place = std::malloc(size > 0 ? size : 1);
    if (place == nullptr)
        throw std::bad_alloc();
    return place;
}

void *operator new[](std::size_t size)
{
    return operator new(size);
}

void *operator new(std::size_t size, const std::nothrow_t &) noexcept
{
    return std::malloc(size > 0 ? size : 1);
}

void *operator new[](std::size_t size, const std::nothrow_t &) noexcept
{
    return std::malloc(size > 0 ? size : 1);
}

void operator delete(void *place) noexcept
{
    std::free(place);
}

void operator delete[](void *place) noexcept
{
    std::free(place);
}

void operator delete(void *place, std::size_t) noexcept
{
    std::free(place);
}

void operator delete[](void *place, std::size_t) noexcept
{
    std::free(place);
}

void operator delete(void *place, const std::nothrow_t &) noexcept
{
    std::free(place);
}

void operator delete[](void *place, const std::nothrow_t &) noexcept
{
    std::free(place);
}
