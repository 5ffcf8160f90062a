// "randmap:{a, b, c}": one of the values, by chance, whatever the key.
#include "table/braces.h"
#include "table/driver.h"
#include "table/file_values.h"

#include <random>

namespace facteur::table {
namespace {

class RandomTable final : public Table {
public:
    RandomTable(std::string spec, std::vector<std::string> values) : Table(std::move(spec)), values_(std::move(values))
    {
    }

    LookupResult lookup(std::string_view) override
    {
        std::uniform_int_distribution<std::size_t> any(0, values_.size() - 1);
        return values_[any(generator_)];
    }

private:
    std::vector<std::string> values_;
    std::minstd_rand generator_{std::random_device{}()};
};

} // namespace

Opened open_randmap(const OpenRequest& request)
{
    std::vector<std::string> values;
    for (const std::string_view element : braced_list(request.spec.name)) {
        std::string value(element);
        if (request.options.values_are_files) {
            auto encoded = base64_of_files(element);
            if (!encoded)
                return std::unexpected(encoded.error());
            value = std::move(*encoded);
        }
        values.push_back(std::move(value));
    }
    if (values.empty())
        return std::unexpected(fmt::format("bad syntax: \"{}\"; need \"randmap:{{value...}}\"", request.spec.text()));
    return std::make_unique<RandomTable>(request.spec.text(), std::move(values));
}

} // namespace facteur::table
