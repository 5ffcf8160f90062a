#include "config/idna.h"

#include "base/text.h"

#include <unicode/uidna.h>

#include <memory>

namespace facteur::config {

namespace {

const UIDNA* converter()
{
    struct Close {
        void operator()(UIDNA* idna) const { uidna_close(idna); }
    };
    static const std::unique_ptr<UIDNA, Close> idna = [] {
        UErrorCode error = U_ZERO_ERROR;
        std::unique_ptr<UIDNA, Close> opened(uidna_openUTS46(
            UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE | UIDNA_CHECK_BIDI, &error));
        return U_FAILURE(error) != 0 ? nullptr : std::move(opened);
    }();
    return idna.get();
}

template <typename Convert>
std::optional<std::string> convert(std::string_view domain, Convert call)
{
    constexpr std::size_t kLongest = 1024;
    if (converter() == nullptr || domain.size() > kLongest || !text::valid_utf8(domain))
        return std::nullopt;
    std::string out(kLongest * 4, '\0');
    UErrorCode error = U_ZERO_ERROR;
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    const auto length = call(converter(), domain.data(), static_cast<int32_t>(domain.size()), out.data(),
                             static_cast<int32_t>(out.size()), &info, &error);
    // Labels that break the hyphen rules exist in the wild (r3---sn-...), so they are let through.
    constexpr uint32_t kTolerated = UIDNA_ERROR_LEADING_HYPHEN | UIDNA_ERROR_TRAILING_HYPHEN | UIDNA_ERROR_HYPHEN_3_4;
    if (U_FAILURE(error) != 0 || (info.errors & ~kTolerated) != 0)
        return std::nullopt;
    out.resize(static_cast<std::size_t>(length));
    return out;
}

} // namespace

std::optional<std::string> domain_to_ascii(std::string_view domain)
{
    if (domain.empty() || text::all_ascii(domain))
        return std::string(domain);
    return convert(domain, uidna_nameToASCII_UTF8);
}

std::optional<std::string> domain_to_utf8(std::string_view domain)
{
    if (domain.empty())
        return std::string();
    return convert(domain, uidna_nameToUnicodeUTF8);
}

} // namespace facteur::config
