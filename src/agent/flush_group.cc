#include "agent/flush_group.h"

#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <vector>

namespace facteur::agent {

namespace {

// A flush of the file system writes what others left there too: not when that is much.
constexpr std::uint64_t kMostUnwritten = 64 << 10; // kilobytes

// syncfs(2) tells errors since Linux 5.8.
bool errors_are_told()
{
    static const bool told = [] {
        utsname system{};
        int major = 0;
        int minor = 0;
        return ::uname(&system) == 0 && std::sscanf(system.release, "%d.%d", &major, &minor) == 2 &&
               (major > 5 || (major == 5 && minor >= 8));
    }();
    return told;
}

// Where it costs what it flushes, and no more.
bool known_file_system(int file)
{
    struct statfs status{};
    return ::fstatfs(file, &status) == 0 &&
           (status.f_type == EXT4_SUPER_MAGIC || status.f_type == XFS_SUPER_MAGIC || status.f_type == TMPFS_MAGIC);
}

bool little_is_unwritten()
{
    const auto text = read_file("/proc/meminfo", 64 << 10);
    const auto kilobytes = text ? unwritten_kilobytes(*text) : std::nullopt;
    return kilobytes && *kilobytes <= kMostUnwritten;
}

// What was said of one file's data since it was opened: syncfs speaks for the file system as a whole.
bool data_was_written(int file)
{
    return ::sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) == 0;
}

bool flush_together(const std::vector<int>& files)
{
    return files.size() > 1 && errors_are_told() && known_file_system(files.front()) && little_is_unwritten() &&
           ::syncfs(files.front()) == 0 && std::ranges::all_of(files, data_was_written);
}

std::vector<int> flush_all(const std::vector<int>& files)
{
    std::vector<int> codes(files.size(), 0);
    if (!flush_together(files))
        std::ranges::transform(files, codes.begin(), [](int file) { return ::fsync(file) == 0 ? 0 : errno; });
    return codes;
}

} // namespace

std::optional<std::uint64_t> unwritten_kilobytes(std::string_view meminfo)
{
    std::optional<std::uint64_t> sum;
    for (const auto line : text::split(meminfo, "\n")) {
        const auto words = text::split(line, " ");
        if (words.size() < 2 || (words[0] != "Dirty:" && words[0] != "Writeback:"))
            continue;
        const auto number = text::to_long(words[1]);
        if (!number || *number < 0)
            return std::nullopt;
        sum = sum.value_or(0) + static_cast<std::uint64_t>(*number);
    }
    return sum;
}

FlushGroup::FlushGroup(event::Loop& loop, event::WorkerPool& pool)
    : flushes_(loop, std::numeric_limits<std::size_t>::max(), [&pool](dev_t, const std::vector<int>& files) {
          return pool.run([&files] { return flush_all(files); });
      })
{
}

} // namespace facteur::agent
