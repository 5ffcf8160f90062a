// Flushes files that were just written, many of them with one flush of their file system: each has an inode, a name
// and a flush of the disk to wait for, which they can share.
#pragma once

#include "event/pool.h"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace facteur::agent {

class FlushGroup {
public:
    FlushGroup(event::Loop& loop, event::WorkerPool& pool) : loop_(loop), pool_(pool) {}

    // Returns when the file's content and its name are on stable storage: 0, or errno. `file` is the descriptor that
    // wrote it, and stays open meanwhile.
    event::Task<int> flush(int file, dev_t device);

private:
    struct Waiting {
        int file;
        std::optional<int> code;
        event::Condition ended;
    };
    // Who comes during a flush waits for the next one.
    struct Device {
        std::vector<Waiting*> gathering;
        bool flushing = false;
    };
    event::Task<void> flush_gathered(Device& device);

    event::Loop& loop_;
    event::WorkerPool& pool_;
    std::map<dev_t, Device> devices_;
};

// Kilobytes of the machine's files that are not on disk yet; nothing when the text does not say.
std::optional<std::uint64_t> unwritten_kilobytes(std::string_view meminfo);

} // namespace facteur::agent
