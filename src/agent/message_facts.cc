#include "agent/message_facts.h"

#include "agent/bounce_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace facteur::agent {

namespace {

using queue::Field;

std::string_view domain_of(std::string_view address)
{
    const auto at = address.rfind('@');
    return at == address.npos ? std::string_view() : address.substr(at + 1);
}

void add_new(std::vector<std::string>& values, const std::string& value)
{
    if (!value.empty() && std::ranges::find(values, value) == values.end())
        values.push_back(value);
}

} // namespace

void MessageFacts::about(std::string_view queue, std::string id)
{
    queue_ = queue;
    id_ = std::move(id);
    there_ = true;
    tried_open_ = tried_envelope_ = false;
    file_.reset();
    envelope_.reset();
    arrival_.reset();
    size_.reset();
    sender_.reset();
    recipients_.reset();
    reasons_.reset();
    transports_.reset();
}

void MessageFacts::about(const ipc::ListEntry& entry)
{
    about(entry.queue(), entry.queue_id());
    arrival_ = entry.arrival_seconds();
    size_ = static_cast<std::int64_t>(entry.size());
    sender_ = entry.sender();
    if (entry.recipients().empty()) // the reasons of single recipients are not in it either
        return;
    recipients_.emplace();
    reasons_.emplace();
    add_new(*reasons_, entry.reason());
    for (const auto& recipient : entry.recipients()) {
        recipients_->push_back(recipient.address());
        add_new(*reasons_, recipient.reason());
    }
}

void MessageFacts::set_transports(std::vector<std::string> transports)
{
    transports_ = std::move(transports);
}

// The file's header, or what stat(2) tells of a file that is no queue file (maildrop, corrupt).
bool MessageFacts::open()
{
    if (std::exchange(tried_open_, true))
        return file_.has_value();
    const std::string path = spool_.path(queue_, id_);
    if (auto file = queue::QueueFile::open(path, O_RDONLY)) {
        file_ = std::move(*file);
        arrival_ = file_->header().arrival_seconds;
        size_ = static_cast<std::int64_t>(file_->header().content_size);
        return true;
    }
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) {
        there_ = false;
    } else if (queue_ == queue::kMaildrop || queue_ == queue::kCorrupt) {
        arrival_ = status.st_mtime;
        size_ = status.st_size;
    }
    return false;
}

bool MessageFacts::read_envelope()
{
    if (std::exchange(tried_envelope_, true))
        return envelope_.has_value();
    if (!open())
        return false;
    auto envelope = file_->read_envelope();
    const auto states = file_->read_states();
    if (!envelope || !states)
        return false;
    sender_ = envelope->sender();
    recipients_.emplace();
    for (int i = 0; i < envelope->recipients_size(); ++i)
        if (queue::is_pending(*states, static_cast<std::size_t>(i)))
            recipients_->push_back(envelope->recipients(i).address());
    client_ = fmt::format("{}[{}]", envelope->origin().client_name(), envelope->origin().client_address());
    envelope_ = std::move(*envelope);
    return true;
}

bool MessageFacts::read_reasons()
{
    if (reasons_)
        return true;
    const auto log = read_log(spool_.path(queue::kDefer, id_));
    if (!log && log.error().code != ENOENT)
        return false;
    reasons_.emplace();
    if (log)
        for (const auto& entry : log->entries)
            add_new(*reasons_, entry.dsn().reason());
    return true;
}

const std::vector<std::string>* MessageFacts::recipients()
{
    return recipients_ || read_envelope() ? &*recipients_ : nullptr;
}

const std::string* MessageFacts::sender()
{
    return sender_ || read_envelope() ? &*sender_ : nullptr;
}

// Puts the field's values into values_.
bool MessageFacts::fill(Field field)
{
    switch (field) {
    case Field::id:
        values_.emplace_back(id_);
        return true;
    case Field::queue:
        values_.emplace_back(queue_);
        return true;
    case Field::sender:
    case Field::sender_domain:
        if (const auto* const address = sender())
            values_.push_back(field == Field::sender ? std::string_view(*address) : domain_of(*address));
        return sender_.has_value();
    case Field::recipient:
    case Field::domain:
        if (const auto* const addresses = recipients())
            for (const auto& address : *addresses)
                values_.push_back(field == Field::recipient ? std::string_view(address) : domain_of(address));
        return recipients_.has_value();
    case Field::client:
        if (!read_envelope())
            return false;
        values_ = {envelope_->origin().client_name(), envelope_->origin().client_address(), client_};
        return true;
    case Field::sasl_user:
        if (read_envelope())
            values_.emplace_back(envelope_->origin().sasl_username());
        return envelope_.has_value();
    case Field::message_id:
        if (read_envelope())
            values_.emplace_back(envelope_->message_id());
        return envelope_.has_value();
    case Field::reason:
        if (!read_reasons())
            return false;
        values_.assign(reasons_->begin(), reasons_->end());
        return true;
    case Field::transport:
        if (transports_)
            values_.assign(transports_->begin(), transports_->end());
        return transports_.has_value();
    case Field::age:
    case Field::size:
    case Field::recipients:
        break; // numbers
    }
    return false;
}

std::optional<std::span<const std::string_view>> MessageFacts::texts(Field field)
{
    values_.clear();
    if (!fill(field))
        return std::nullopt;
    if (values_.empty())
        values_.emplace_back();
    return values_;
}

std::optional<std::int64_t> MessageFacts::number(Field field)
{
    if (field == Field::recipients) {
        const auto* const addresses = recipients();
        return addresses ? std::optional(static_cast<std::int64_t>(addresses->size())) : std::nullopt;
    }
    if (!arrival_)
        open();
    if (field == Field::size)
        return size_;
    return arrival_ ? std::optional(now_ - *arrival_) : std::nullopt;
}

} // namespace facteur::agent
