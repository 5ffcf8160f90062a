// "regexp:": POSIX regular expressions of the C library, extended and caseless unless a rule's flags say otherwise.
#include "table/pattern_table.h"

#include <regex.h>

namespace facteur::table {
namespace {

class RegexpMatcher final : public Matcher {
public:
    RegexpMatcher() = default;
    RegexpMatcher(const RegexpMatcher&) = delete;
    RegexpMatcher& operator=(const RegexpMatcher&) = delete;
    ~RegexpMatcher() override
    {
        if (compiled_)
            ::regfree(&expression_);
    }

    // The error of regcomp, empty when it succeeded.
    std::string compile(const std::string& expression, int flags)
    {
        const int error = ::regcomp(&expression_, expression.c_str(), flags);
        compiled_ = error == 0;
        return compiled_ ? std::string{} : text_of(error);
    }

    std::expected<bool, std::string> match(const std::string& key, Groups* groups) override
    {
        std::vector<regmatch_t> found(groups ? expression_.re_nsub + 1 : 0);
        const int error = ::regexec(&expression_, key.c_str(), found.size(), found.data(), 0);
        if (error == REG_NOMATCH)
            return false;
        if (error != 0)
            return std::unexpected(text_of(error));
        if (groups) {
            groups->clear();
            for (const regmatch_t& group : found)
                groups->emplace_back(group.rm_so, group.rm_eo);
        }
        return true;
    }
    int group_count() const override { return static_cast<int>(expression_.re_nsub); }

private:
    std::string text_of(int error) const
    {
        char buffer[256];
        ::regerror(error, &expression_, buffer, sizeof buffer);
        return buffer;
    }

    regex_t expression_{};
    bool compiled_ = false;
};

std::expected<unsigned, std::string> options_of(std::string_view flags, const PatternDialect::Warn&)
{
    unsigned options = REG_EXTENDED | REG_ICASE;
    for (const char flag : flags) {
        switch (flag) {
        case 'i':
            options ^= REG_ICASE;
            break;
        case 'm':
            options ^= REG_NEWLINE;
            break;
        case 'x':
            options ^= REG_EXTENDED;
            break;
        default:
            return std::unexpected(fmt::format("unknown regexp option \"{}\": skipping this rule", flag));
        }
    }
    return options;
}

std::expected<std::unique_ptr<Matcher>, std::string> compile(const std::string& expression, unsigned options,
                                                             WantGroups groups)
{
    auto matcher = std::make_unique<RegexpMatcher>();
    const int flags = static_cast<int>(options) | (groups == WantGroups::no ? REG_NOSUB : 0);
    if (const std::string error = matcher->compile(expression, flags); !error.empty())
        return std::unexpected(error);
    return matcher;
}

constexpr PatternDialect kDialect{.unclosed = "skipping this rule",
                                  .index_range = "out-of-range",
                                  .second_pattern = true,
                                  .options = options_of,
                                  .compile = compile};

} // namespace

Opened open_regexp(const OpenRequest& request)
{
    return open_pattern_table(request, kDialect);
}

} // namespace facteur::table
