// Wall-clock time as the queue counts it.
#pragma once

#include <chrono>
#include <cstdint>

namespace facteur::qmgr {

inline std::int64_t now_microseconds()
{
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}
inline std::int64_t now_seconds()
{
    return now_microseconds() / 1'000'000;
}

} // namespace facteur::qmgr
