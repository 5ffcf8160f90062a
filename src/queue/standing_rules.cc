#include "queue/standing_rules.h"

#include "base/log.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace facteur::queue {

namespace {

using std::unexpected;

constexpr std::string_view kMagic = "# Facteur standing rules 1: number, made, ends, action, selection\n";
constexpr const char* kNewFile = "standing_rules.new";
constexpr std::size_t kMostRules = 1000;
constexpr std::size_t kLongestFile = 8 << 20;

struct ActionRow {
    std::string_view name;
    RuleAction action;
};
constexpr auto kActions = std::to_array<ActionRow>(
    {{"hold", RuleAction::hold}, {"delete", RuleAction::remove}, {"expire", RuleAction::expire}});

// Up to the next blank, which is taken too.
std::string_view next_word(std::string_view& line)
{
    const auto blank = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, blank);
    line.remove_prefix(std::min(blank + 1, line.size()));
    return word;
}

template <typename Number>
bool to_number(std::string_view text, Number& into)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc{} && end == text.data() + text.size();
}

std::expected<StandingRule, std::string> parse_rule(std::string_view line)
{
    unsigned number = 0;
    std::int64_t created = 0;
    std::int64_t expires = 0;
    if (!to_number(next_word(line), number) || number == 0)
        return unexpected("no number");
    if (!to_number(next_word(line), created) || !to_number(next_word(line), expires))
        return unexpected("no times");
    const auto action = parse_action(next_word(line));
    if (!action)
        return unexpected("no such action");
    auto where = Selection::parse(line);
    if (!where)
        return unexpected(where.error().problem);
    return StandingRule{number, created, expires, *action, std::move(*where)};
}

std::string_view domain_of(std::string_view address)
{
    const auto at = address.rfind('@');
    return at == address.npos ? std::string_view() : address.substr(at + 1);
}

// What is known of a message before it is in any queue.
class ArrivalFacts final : public Facts {
public:
    ArrivalFacts(const Envelope& envelope, std::string_view id, std::uint64_t size)
        : envelope_(envelope), id_(id), size_(size)
    {
    }

    std::optional<std::span<const std::string_view>> texts(Field field) override
    {
        values_.clear();
        const Origin& origin = envelope_.origin();
        switch (field) {
        case Field::id:
            values_ = {id_};
            break;
        case Field::sender:
            values_ = {envelope_.sender()};
            break;
        case Field::sender_domain:
            values_ = {domain_of(envelope_.sender())};
            break;
        case Field::recipient:
        case Field::domain:
            for (const auto& recipient : envelope_.recipients())
                values_.push_back(field == Field::recipient ? std::string_view(recipient.address())
                                                            : domain_of(recipient.address()));
            break;
        case Field::client:
            client_ = fmt::format("{}[{}]", origin.client_name(), origin.client_address());
            values_ = {origin.client_name(), origin.client_address(), client_};
            break;
        case Field::sasl_user:
            values_ = {origin.sasl_username()};
            break;
        case Field::message_id:
            values_ = {envelope_.message_id()};
            break;
        default:
            return std::nullopt;
        }
        return values_;
    }

    std::optional<std::int64_t> number(Field field) override
    {
        if (field == Field::size)
            return static_cast<std::int64_t>(size_);
        if (field == Field::recipients)
            return envelope_.recipients_size();
        return std::nullopt;
    }

private:
    const Envelope& envelope_;
    std::string_view id_;
    std::uint64_t size_;
    std::string client_;
    std::vector<std::string_view> values_;
};

bool same_version(const struct stat& a, const struct stat& b)
{
    return a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == b.st_size &&
           a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

} // namespace

std::string_view action_name(RuleAction action)
{
    return std::ranges::find(kActions, action, &ActionRow::action)->name;
}

std::optional<RuleAction> parse_action(std::string_view name)
{
    const auto row = std::ranges::find(kActions, name, &ActionRow::name);
    return row == kActions.end() ? std::nullopt : std::optional(row->action);
}

ParsedRules parse_rules(std::string_view text)
{
    ParsedRules parsed;
    std::size_t number = 0;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
        if (line.empty() || line.starts_with('#'))
            continue;
        if (parsed.rules.size() == kMostRules) {
            parsed.problems.push_back(fmt::format("line {}: more than {} rules", number, kMostRules));
            break;
        }
        auto rule = parse_rule(line);
        if (rule)
            parsed.rules.push_back(std::move(*rule));
        else
            parsed.problems.push_back(fmt::format("line {}: {}", number, rule.error()));
    }
    return parsed;
}

std::string format_rules(const std::vector<StandingRule>& rules)
{
    std::string text(kMagic);
    for (const auto& rule : rules) {
        // Outside of quotes every blank is alike, inside the parser allows no control character.
        std::string where = rule.where.text();
        std::ranges::replace_if(where, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
        text += fmt::format("{} {} {} {} {}\n", rule.number, rule.created_seconds, rule.expires_seconds,
                            action_name(rule.action), where);
    }
    return text;
}

std::optional<SelectionError> unfit_for_rules(const Selection& where)
{
    for (const auto field : {Field::queue, Field::age, Field::reason, Field::transport})
        if (where.uses(field))
            return SelectionError{where.where_used(field),
                                  fmt::format("{} is not known yet when a message arrives", field_name(field))};
    return std::nullopt;
}

// --- reading ---

std::expected<StandingRules, SystemError> StandingRules::open(const std::string& data_directory)
{
    auto directory = open_file(data_directory, O_RDONLY | O_DIRECTORY);
    if (!directory)
        return unexpected(directory.error());
    return StandingRules(std::move(*directory));
}

std::expected<void, SystemError> StandingRules::refresh()
{
    struct stat now{};
    if (::fstatat(directory_.get(), kStandingRulesFile, &now, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT)
            return unexpected(SystemError::last("stat", kStandingRulesFile));
        rules_.clear();
        seen_ = {};
        return {};
    }
    return same_version(now, seen_) ? std::expected<void, SystemError>() : read();
}

std::expected<void, SystemError> StandingRules::read()
{
    const UniqueFd file(::openat(directory_.get(), kStandingRulesFile, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file && errno == ENOENT) {
        rules_.clear();
        seen_ = {};
        return {};
    }
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0)
        return unexpected(SystemError::last("open", kStandingRulesFile));
    if (!S_ISREG(status.st_mode) || status.st_size > static_cast<off_t>(kLongestFile))
        return unexpected(SystemError{"read", kStandingRulesFile, EFBIG});
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
    if (got != static_cast<ssize_t>(text.size()))
        return unexpected(SystemError{"read", kStandingRulesFile, got < 0 ? errno : EIO});
    auto parsed = parse_rules(text);
    for (const auto& problem : parsed.problems)
        log::warning("{}: {}", kStandingRulesFile, problem);
    rules_ = std::move(parsed.rules);
    seen_ = status;
    return {};
}

std::optional<StandingRules::Decision> StandingRules::decide(const Envelope& envelope, std::string_view queue_id,
                                                             std::uint64_t size, std::int64_t now) const
{
    if (rules_.empty())
        return std::nullopt;
    ArrivalFacts facts(envelope, queue_id, size);
    for (const auto& rule : rules_)
        if (rule.expires_seconds > now && rule.where.matches(facts) == Truth::yes)
            return Decision{rule.action, rule.number};
    return std::nullopt;
}

// --- writing ---

std::expected<UniqueFd, SystemError> StandingRules::lock()
{
    // A descriptor of its own: the lock belongs to it, and ends with it.
    UniqueFd held(::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!held || ::flock(held.get(), LOCK_EX) != 0)
        return unexpected(SystemError::last("lock", kStandingRulesFile));
    return held;
}

std::expected<unsigned, SystemError> StandingRules::add(RuleAction action, Selection where,
                                                        std::int64_t expires_seconds, std::int64_t now)
{
    const auto held = lock();
    if (!held)
        return unexpected(held.error());
    if (const auto done = read(); !done)
        return unexpected(done.error());
    if (rules_.size() >= kMostRules)
        return unexpected(SystemError{"add to", kStandingRulesFile, ENOSPC});
    const unsigned number = rules_.empty() ? 1 : rules_.back().number + 1;
    rules_.push_back({number, now, expires_seconds, action, std::move(where)});
    if (const auto written = write(now); !written)
        return unexpected(written.error());
    return number;
}

std::expected<bool, SystemError> StandingRules::remove(unsigned number, std::int64_t now)
{
    const auto held = lock();
    if (!held)
        return unexpected(held.error());
    if (const auto done = read(); !done)
        return unexpected(done.error());
    if (std::erase_if(rules_, [=](const StandingRule& rule) { return rule.number == number; }) == 0)
        return false;
    if (const auto written = write(now); !written)
        return unexpected(written.error());
    return true;
}

std::expected<void, SystemError> StandingRules::write(std::int64_t now)
{
    std::erase_if(rules_, [=](const StandingRule& rule) { return rule.expires_seconds <= now; });
    const int directory = directory_.get();
    if (::unlinkat(directory, kNewFile, 0) != 0 && errno != ENOENT)
        return unexpected(SystemError::last("remove", kNewFile));
    const UniqueFd file(::openat(directory, kNewFile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file)
        return unexpected(SystemError::last("create", kNewFile));
    if (auto written = write_all(file.get(), format_rules(rules_), kNewFile); !written)
        return written;
    if (::fsync(file.get()) != 0 || ::renameat(directory, kNewFile, directory, kStandingRulesFile) != 0 ||
        ::fsync(directory) != 0)
        return unexpected(SystemError::last("replace", kStandingRulesFile));
    if (::fstat(file.get(), &seen_) != 0)
        return unexpected(SystemError::last("stat", kStandingRulesFile));
    return {};
}

} // namespace facteur::queue
