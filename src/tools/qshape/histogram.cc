#include "tools/qshape/histogram.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace facteur::qshape {

namespace {

constexpr std::size_t kLeastNameWidth = 18;
constexpr std::string_view kTotal = "TOTAL"; // upper case: no domain is written so

// "user@a..b." counts as a.b; an address without a domain counts by itself.
std::string domain_of(std::string_view address)
{
    if (address.empty())
        return "MAILER-DAEMON";
    const std::string folded = text::to_lower(address.substr(address.rfind('@') + 1));
    std::string domain;
    for (const char c : folded)
        if (c != '.' || !domain.ends_with('.'))
            domain += c;
    if (domain.size() > 1 && domain.starts_with('.'))
        domain.erase(0, 1);
    if (domain.size() > 1 && domain.ends_with('.'))
        domain.pop_back();
    return domain;
}

// ".b.c" of "a.b.c" or ".a.b.c"; empty when that would be a top-level domain.
std::string parent_of(std::string_view domain)
{
    if (domain.starts_with('.'))
        domain.remove_prefix(1);
    const auto dot = domain.find('.');
    if (dot == domain.npos || domain.find('.', dot + 1) == domain.npos)
        return {};
    return std::string(domain.substr(dot));
}

std::string fitted(const std::string& name, std::size_t width)
{
    if (name.size() <= width)
        return fmt::format("{:>{}}", name, width);
    const std::string_view mark = name.starts_with('.') ? ".+" : "+";
    return fmt::format("{}{}", mark, std::string_view(name).substr(name.size() - width + mark.size()));
}

} // namespace

int Histogram::bucket(std::int64_t age_seconds) const
{
    const double steps = static_cast<double>(age_seconds) / (60.0 * shape_.minutes);
    if (steps < 1)
        return 1;
    const int bucket = shape_.linear ? static_cast<int>(steps + 1) : 2 + static_cast<int>(std::log2(steps));
    return std::min(bucket, shape_.buckets);
}

// Of the total, the domain and, with -p, its parents; makes those that are new.
std::vector<Histogram::Row*> Histogram::rows_of(std::string_view address)
{
    const auto columns = static_cast<std::size_t>(shape_.buckets) + 1;
    std::vector<Row*> rows;
    const auto row = [&](const std::string& name) {
        const auto [at, is_new] = rows_.try_emplace(name);
        at->second.counts.resize(columns);
        rows.push_back(&at->second);
        return is_new;
    };
    row(std::string(kTotal));
    bool child_is_new = false;
    for (std::string name = domain_of(address); !name.empty();
         name = shape_.parents ? parent_of(name) : std::string()) {
        const bool is_new = row(name);
        rows.back()->subdomains += child_is_new;
        child_is_new = is_new;
    }
    return rows;
}

void Histogram::add(std::string_view address, std::int64_t age_seconds)
{
    const auto bucket = static_cast<std::size_t>(this->bucket(age_seconds));
    const std::string_view key = address.empty() ? "@" : address.substr(address.rfind('@') + 1);
    auto known = known_.find(key);
    if (known == known_.end())
        known = known_.emplace(key, rows_of(address)).first;
    for (Row* const row : known->second) {
        ++row->counts[0];
        ++row->counts[bucket];
    }
}

std::vector<std::string> Histogram::headings() const
{
    std::vector<std::string> headings{"T"};
    long limit = 0;
    for (int i = 1; i < shape_.buckets; ++i) {
        limit += limit != 0 && !shape_.linear ? limit : shape_.minutes;
        headings.push_back(fmt::format("{}", limit));
    }
    headings.push_back(fmt::format("{}+", limit));
    return headings;
}

std::string Histogram::table(int top) const
{
    const Row none{std::vector<std::uint64_t>(static_cast<std::size_t>(shape_.buckets) + 1)};
    const auto total = rows_.find(std::string(kTotal));
    const Row& totals = total == rows_.end() ? none : total->second;

    const auto headings = this->headings();
    std::vector<std::size_t> widths;
    long name_width = shape_.width;
    for (std::size_t i = 0; i < headings.size(); ++i) {
        const std::size_t needed = std::max(headings[i].size(), fmt::format("{}", totals.counts[i]).size());
        widths.push_back(needed > 2 ? needed + 1 : 3);
        name_width -= static_cast<long>(widths.back());
    }
    const std::size_t names = std::max(name_width, static_cast<long>(kLeastNameWidth));

    std::string out = fitted("", names);
    for (std::size_t i = 0; i < headings.size(); ++i)
        out += fmt::format("{:>{}}", headings[i], widths[i]);
    out += '\n';
    std::vector<std::pair<std::string, const Row*>> order;
    for (const auto& [name, row] : rows_)
        if (!name.starts_with('.') || row.subdomains >= shape_.minimum_subdomains)
            order.emplace_back(name, &row);
    if (total == rows_.end())
        order.emplace_back(kTotal, &none);
    std::ranges::stable_sort(order, [](const auto& a, const auto& b) {
        if (a.second->counts[0] != b.second->counts[0])
            return a.second->counts[0] > b.second->counts[0];
        return (a.first == kTotal) != (b.first == kTotal) ? a.first == kTotal : a.first.size() < b.first.size();
    });
    for (int shown = 0; const auto& [name, row] : order) {
        if (top > 0 && ++shown > top)
            break;
        out += fitted(name, names);
        for (std::size_t i = 0; i < widths.size(); ++i)
            out += fmt::format("{:>{}}", row->counts[i], widths[i]);
        out += '\n';
    }
    return out;
}

} // namespace facteur::qshape
