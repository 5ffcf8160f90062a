// Queue ids: short ("5A04BA72140") and long ("4bXyzQ1rVJz9w"), as enable_long_queue_ids says. Source: postconf(5).
//
// The short form is five hexadecimal digits of the microsecond, then digits that make it unique: seconds and the
// process. The long form keeps Postfix's shape: base-52 seconds, base-52 microseconds, 'z', base-51 of the rest.
// Neither takes its uniqueness from an inode, so that a store that is not a file system can give ids too.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::queue {

enum class IdForm { short_form, long_form };

// New ids for one process; no two alike, also among processes of one machine.
class IdSource {
public:
    explicit IdSource(IdForm form);
    std::string next();

private:
    IdForm form_;
    std::int64_t last_microsecond_ = 0;
    std::uint32_t process_;
};

// A safe file name that looks like a queue id: 6 to 64 letters and digits.
bool valid_queue_id(std::string_view id);

// The characters by which a queue directory is hashed: hexadecimal digits of the microsecond part, most varying first.
std::string hash_digits(std::string_view id);

} // namespace facteur::queue
