// "pcre:": Perl compatible regular expressions (PCRE2, compiled to machine code where the platform can).
#define PCRE2_CODE_UNIT_WIDTH 8
#include "table/pattern_table.h"

#include <pcre2.h>

namespace facteur::table {
namespace {

struct FreeCode {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
    void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};
struct FreeContext {
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeStack {
    void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};

std::string text_of(int error)
{
    PCRE2_UCHAR buffer[256];
    if (pcre2_get_error_message(error, buffer, sizeof buffer) < 0)
        return fmt::format("unexpected pcre2 error code {}", error);
    return reinterpret_cast<const char*>(buffer);
}

// The machine code needs a stack of its own for expressions that backtrack deeply. One is enough for a thread.
pcre2_match_context* match_context()
{
    constexpr std::size_t kStackStart = 32 << 10;
    constexpr std::size_t kStackLimit = 1 << 20;
    thread_local const std::unique_ptr<pcre2_jit_stack, FreeStack> stack{
        pcre2_jit_stack_create(kStackStart, kStackLimit, nullptr)};
    thread_local const std::unique_ptr<pcre2_match_context, FreeContext> context = [] {
        std::unique_ptr<pcre2_match_context, FreeContext> made{pcre2_match_context_create(nullptr)};
        if (made && stack)
            pcre2_jit_stack_assign(made.get(), nullptr, stack.get());
        return made;
    }();
    return context.get();
}

class PcreMatcher final : public Matcher {
public:
    explicit PcreMatcher(pcre2_code* code) : code_(code), match_(pcre2_match_data_create_from_pattern(code, nullptr))
    {
        // Without machine code the interpreter does the same, slower.
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
        pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &group_count_);
    }

    std::expected<bool, std::string> match(const std::string& key, Groups* groups) override
    {
        if (!match_)
            return std::unexpected(text_of(PCRE2_ERROR_NOMEMORY));
        const int count = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(key.data()), key.size(), 0, 0,
                                      match_.get(), match_context());
        if (count == PCRE2_ERROR_NOMATCH)
            return false;
        if (count < 0)
            return std::unexpected(text_of(count));
        if (groups)
            copy_groups(*groups, static_cast<std::size_t>(count));
        return true;
    }
    int group_count() const override { return static_cast<int>(group_count_); }

private:
    void copy_groups(Groups& groups, std::size_t count) const
    {
        const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(match_.get());
        groups.clear();
        for (std::size_t i = 0; i < count; ++i)
            if (offsets[2 * i] == PCRE2_UNSET)
                groups.emplace_back(-1, -1);
            else
                groups.emplace_back(static_cast<long>(offsets[2 * i]), static_cast<long>(offsets[2 * i + 1]));
    }

    std::unique_ptr<pcre2_code, FreeCode> code_;
    std::unique_ptr<pcre2_match_data, FreeMatch> match_;
    std::uint32_t group_count_ = 0;
};

std::expected<unsigned, std::string> options_of(std::string_view flags, const PatternDialect::Warn& warn)
{
    unsigned options = PCRE2_CASELESS | PCRE2_DOTALL;
    for (const char flag : flags) {
        switch (flag) {
        case 'i':
            options ^= PCRE2_CASELESS;
            break;
        case 'm':
            options ^= PCRE2_MULTILINE;
            break;
        case 's':
            options ^= PCRE2_DOTALL;
            break;
        case 'x':
            options ^= PCRE2_EXTENDED;
            break;
        case 'A':
            options ^= PCRE2_ANCHORED;
            break;
        case 'E':
            options ^= PCRE2_DOLLAR_ENDONLY;
            break;
        case 'U':
            options ^= PCRE2_UNGREEDY;
            break;
        case 'X':
            warn("ignoring obsolete regexp option \"X\"");
            break;
        default:
            return std::unexpected(fmt::format("unknown regexp option \"{}\": skipping this rule", flag));
        }
    }
    return options;
}

std::expected<std::unique_ptr<Matcher>, std::string> compile(const std::string& expression, unsigned options,
                                                             WantGroups)
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(), options,
                                     &error, &offset, nullptr);
    if (!code)
        return std::unexpected(fmt::format("error in regex at offset {}: {}", offset, text_of(error)));
    return std::make_unique<PcreMatcher>(code);
}

constexpr PatternDialect kDialect{.unclosed = "ignoring this rule",
                                  .index_range = "out of range",
                                  .second_pattern = false,
                                  .options = options_of,
                                  .compile = compile};

} // namespace

Opened open_pcre(const OpenRequest& request)
{
    return open_pattern_table(request, kDialect);
}

} // namespace facteur::table
