// Reading messages where the journal has them: for those who deliver a message that has no file, or give it one.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "queue/journal.h"

#include <expected>
#include <map>
#include <string>
#include <string_view>

namespace facteur::queue {

// Keeps the segments' descriptors: a segment is written many times and never replaced while its writer lives.
class RecordReader {
public:
    // The payload: a whole queue file. ENOENT: the record is not there any more, so the message got its file.
    std::expected<std::string, SystemError> read(const RecordPlace& place, std::string_view id);

private:
    std::expected<int, SystemError> segment(const std::string& path);

    std::map<std::string, UniqueFd, std::less<>> segments_;
};

} // namespace facteur::queue
