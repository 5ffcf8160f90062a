#include "queue/queue_id.h"

#include "base/text.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace facteur::queue {

namespace {

// No vowels: ids must not spell words. 52 digits; base 51 leaves out 'z', which separates the parts.
constexpr std::string_view kDigits = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
constexpr unsigned kBase = 52;
constexpr std::size_t kSecondsDigits = 6;
constexpr std::size_t kMicroDigits = 4;

std::string encode(std::uint64_t value, unsigned base, std::size_t width)
{
    std::string out;
    do {
        out.push_back(kDigits[value % base]);
        value /= base;
    } while (value > 0);
    while (out.size() < width)
        out.push_back(kDigits[0]);
    std::ranges::reverse(out);
    return out;
}

bool is_long_form(std::string_view id)
{
    return id.size() > kSecondsDigits + kMicroDigits && id.find('z', kSecondsDigits + kMicroDigits) != id.npos;
}

} // namespace

IdSource::IdSource(IdForm form) : form_(form), process_(static_cast<std::uint32_t>(::getpid())) {}

std::string IdSource::next()
{
    using namespace std::chrono;
    std::int64_t now = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
    // Never the same microsecond twice, also when the clock stands still or steps back a little.
    if (now <= last_microsecond_ && last_microsecond_ - now < 1'000'000)
        now = last_microsecond_ + 1;
    last_microsecond_ = now;
    const auto seconds = static_cast<std::uint64_t>(now / 1'000'000);
    const auto micros = static_cast<std::uint64_t>(now % 1'000'000);
    if (form_ == IdForm::short_form)
        return fmt::format("{:05X}{:X}", micros, (seconds & 0xFFFFFF) << 8 | (process_ & 0xFF));
    return encode(seconds, kBase, kSecondsDigits) + encode(micros, kBase, kMicroDigits) + 'z' +
           encode(process_, kBase - 1, 1);
}

bool valid_queue_id(std::string_view id)
{
    return id.size() >= 6 && id.size() <= 64 && std::ranges::all_of(id, text::is_alnum);
}

std::string hash_digits(std::string_view id)
{
    if (!is_long_form(id))
        return std::string(id);
    std::uint64_t micros = 0;
    for (const char c : id.substr(kSecondsDigits, kMicroDigits)) {
        const auto digit = kDigits.find(c);
        micros = micros * kBase + (digit == kDigits.npos ? 0 : digit);
    }
    std::string hex = fmt::format("{:05X}", micros);
    std::ranges::reverse(hex);
    return hex;
}

} // namespace facteur::queue
