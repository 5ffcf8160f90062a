// Messages by domain and age, and the table that shows them. Source: qshape(1), QSHAPE_README.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace facteur::qshape {

struct Shape {
    bool linear = false;        // -l: ages in equal steps instead of doubling ones
    bool parents = false;       // -p: count parent domains as well
    int minimum_subdomains = 5; // -m: fewer, and the parent is not shown
    int buckets = 10;           // -b
    int minutes = 5;            // -t: the first bucket's age limit
    int width = 80;             // -w
};

class Histogram {
public:
    explicit Histogram(const Shape& shape) : shape_(shape) {}
    // A copy knows no ways to its rows yet.
    Histogram(const Histogram& other) : shape_(other.shape_), rows_(other.rows_) {}
    Histogram(Histogram&&) noexcept = default;
    Histogram& operator=(Histogram&&) noexcept = default;
    Histogram& operator=(const Histogram&) = delete;
    ~Histogram() = default;

    // One address, empty for the null sender, of a message that is `age_seconds` old.
    void add(std::string_view address, std::int64_t age_seconds);
    // At most `top` rows; 0: all.
    [[nodiscard]] std::string table(int top) const;

private:
    struct Row {
        std::vector<std::uint64_t> counts; // [0] is the total
        int subdomains = 0;
    };
    [[nodiscard]] int bucket(std::int64_t age_seconds) const;
    std::vector<Row*> rows_of(std::string_view address);
    [[nodiscard]] std::vector<std::string> headings() const;

    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    Shape shape_;
    std::map<std::string, Row> rows_;
    // Which rows an address counts in, by what stands behind its "@": a queue has few domains and many messages.
    std::unordered_map<std::string, std::vector<Row*>, TextHash, std::equal_to<>> known_;
};

} // namespace facteur::qshape
