// postqueue's users write selections, showq evaluates them: neither parsing nor matching may run away.
#include "queue/selection.h"

namespace {

class Anything final : public facteur::queue::Facts {
public:
    explicit Anything(std::string_view text) : text_(text) {}
    std::optional<std::span<const std::string_view>> texts(facteur::queue::Field field) override
    {
        if (field == facteur::queue::Field::transport)
            return std::nullopt;
        return std::span<const std::string_view>(&text_, 1);
    }
    std::optional<std::int64_t> number(facteur::queue::Field) override
    {
        return static_cast<std::int64_t>(text_.size());
    }

private:
    std::string_view text_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace facteur::queue;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto selection = Selection::parse(text);
    if (!selection) {
        if (selection.error().offset > size)
            __builtin_trap();
        (void)selection.error().show(text);
        return 0;
    }
    Anything facts(text);
    (void)selection->matches(facts);
    return 0;
}
