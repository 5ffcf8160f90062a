// Records of a journal that are written together. What a message's record contains is taken over, and written from
// where it is.
#pragma once

#include "queue/journal_format.h"

#include <sys/uio.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::queue {

class RecordGroup {
public:
    using Payload = std::vector<std::string>; // one after the other

    void append(RecordType type, std::string_view id, std::string_view payload);
    void append_pieces(RecordType type, std::string_view id, Payload payload);

    [[nodiscard]] std::size_t count() const { return entries_.size(); }
    // Bytes of one record as it is written.
    [[nodiscard]] std::size_t size_of(std::size_t number) const { return entries_[number].size; }

    // Records from `first` on that are written with one call, where there is room for `room` bytes. None: the first one
    // does not fit.
    struct Part {
        std::size_t end;  // the number after the last record
        std::size_t size; // bytes
    };
    [[nodiscard]] Part fit(std::size_t first, std::size_t room) const;
    // Completes these records for the segment they are about to be written to; their bytes. Valid until the group
    // changes.
    std::vector<iovec> seal(std::size_t first, std::size_t end, std::uint64_t sequence);

private:
    struct Entry {
        std::string head; // header, id, and a payload that was copied
        Payload payload;
        std::size_t size; // with what pads it to 8 bytes
    };
    std::vector<Entry> entries_;
};

} // namespace facteur::queue
