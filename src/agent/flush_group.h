// Flushes files that were just written, many of them with one flush of their file system: each has an inode, a name
// and a flush of the disk to wait for, which they can share.
#pragma once

#include "event/gathering.h"
#include "event/pool.h"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace facteur::agent {

class FlushGroup {
public:
    FlushGroup(event::Loop& loop, event::WorkerPool& pool);

    // Returns when the file's content and its name are on stable storage: 0, or errno. `file` is the descriptor that
    // wrote it, and stays open meanwhile.
    event::Task<int> flush(int file, dev_t device) { return flushes_.join(device, file); }

private:
    event::Gathering<dev_t, int, int> flushes_;
};

// Kilobytes of the machine's files that are not on disk yet; nothing when the text does not say.
std::optional<std::uint64_t> unwritten_kilobytes(std::string_view meminfo);

} // namespace facteur::agent
