#include "daemons/cleanup/submission.h"

#include "base/log.h"
#include "base/text.h"
#include "base/write_at.h"
#include "ipc/flags.h"
#include "mail/address.h"
#include "mail/date.h"
#include "queue/queue_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace facteur::cleanup {

namespace {

bool flag(const ipc::SubmitRequest& request, std::uint32_t bit)
{
    return (request.flags() & bit) != 0;
}

constexpr std::size_t kLongLine = 998; // RFC 5321 s4.5.3.1.6, without CRLF

} // namespace

Verdict verdict(ipc::SubmitStatus status)
{
    switch (status) {
    case ipc::SUBMIT_OK:
        return {status, "2.0.0", "Success"};
    case ipc::SUBMIT_SIZE:
        return {status, "5.3.4", "message file too big"};
    case ipc::SUBMIT_CONTENT:
        return {status, "5.7.1", "message content rejected"};
    case ipc::SUBMIT_HOPS:
        return {status, "5.4.0", "too many hops"};
    case ipc::SUBMIT_RECIPIENTS:
        return {status, "5.1.0", "no recipients specified"};
    case ipc::SUBMIT_DEFER:
        return {status, "4.7.1", "service unavailable"};
    case ipc::SUBMIT_BAD:
        return {status, "5.3.0", "internal protocol error"};
    default:
        return {ipc::SUBMIT_WRITE, "4.3.0", "queue file write error"};
    }
}

Submission::Submission(const Settings& settings, Tables& tables, const queue::Spool& spool,
                       const queue::StandingRules* rules, ipc::SubmitRequest request)
    : settings_(settings), tables_(tables), spool_(spool), rules_(rules), request_(std::move(request)),
      addresses_(settings, tables, flag(request_, ipc::submit_flag::map) ? Mapping::on : Mapping::off),
      original_sender_(request_.envelope().sender())
{
    if (request_.envelope().hold() || flag(request_, ipc::submit_flag::hold))
        queue_ = queue::kHold;
    discarded_ = flag(request_, ipc::submit_flag::discard);
    // The From: header that we may have to add shows the completed sender.
    if (auto sender = addresses_.sender(original_sender_))
        request_.mutable_envelope()->set_sender(*sender);
    else
        failed_ = {ipc::SUBMIT_WRITE, sender.error().enhanced_status, sender.error().text};
    pass_ = std::make_unique<mail::ContentPass>(content_options(), content_hooks());
}

Submission::~Submission()
{
    if (file_ && !published_)
        ::unlink(path().c_str());
}

mail::ContentOptions Submission::content_options() const
{
    const auto& envelope = request_.envelope();
    const bool local = envelope.rewrite_context() != "remote";
    mail::ContentOptions options = settings_.content;
    options.prepend = request_.prepend();
    options.input = mail::InputLines::crlf; // pickup turns what sendmail was given into CRLF lines
    options.add_missing = local || settings_.always_add_missing_headers ? mail::AddMissing::yes : mail::AddMissing::no;
    options.message_id = mail::make_message_id(envelope.arrival_seconds(), request_.queue_id(), settings_.myhostname);
    options.date = mail::mail_date(envelope.arrival_seconds());
    options.sender = envelope.sender();
    options.full_name = envelope.full_name();
    options.extract_recipients = flag(request_, ipc::submit_flag::extract_recipients);
    return options;
}

mail::ContentHooks Submission::content_hooks()
{
    mail::ContentHooks hooks;
    const bool local = request_.envelope().rewrite_context() != "remote";
    if (!tables_.header_priority.empty())
        hooks.header_check = [this](mail::HeaderClass where, std::string_view header) {
            if (where == mail::HeaderClass::primary)
                note_priority(header);
            return mail::CheckVerdict{};
        };
    if (flag(request_, ipc::submit_flag::internal) || (!local && !settings_.header_rewrite_remote))
        return hooks;
    const auto context = local ? mail::RewriteContext::local : mail::RewriteContext::remote;
    hooks.complete_address = [this, context](std::string_view address) {
        return mail::rewrite_external(address, context, settings_.rewrite);
    };
    if (flag(request_, ipc::submit_flag::map))
        hooks.rewrite_address = [this](std::string_view address, mail::AddressRole role) {
            return addresses_.map_header(address, role);
        };
    return hooks;
}

Verdict Submission::fail(const std::string& what)
{
    log::warning("{}: {}: {}", request_.queue_id(), what, errno_text(errno));
    return verdict(ipc::SUBMIT_WRITE);
}

bool Submission::create_file()
{
    auto created = spool_.create(queue_, request_.queue_id());
    if (!created) {
        log::warning("{}: {}", request_.queue_id(), created.error().message());
        return false;
    }
    file_ = std::move(*created);
    return true;
}

void Submission::push(std::string_view bytes)
{
    if (!failed_.ok())
        return;
    pass_->push(bytes);
    if (settings_.message_size_limit > 0 && !flag(request_, ipc::submit_flag::internal) &&
        pass_->facts().stored_bytes >
            static_cast<std::uint64_t>(settings_.message_size_limit) + request_.prepend().size()) {
        failed_ = verdict(ipc::SUBMIT_SIZE);
        return;
    }
    if (pass_->output().size() > kMaxInMemory)
        spill();
}

// The message is too large to be kept: its content goes to its place in the file as it comes.
void Submission::spill()
{
    if (!file_ && !create_file()) {
        failed_ = verdict(ipc::SUBMIT_WRITE);
        return;
    }
    std::string& output = pass_->output();
    if (!write_at(file_.get(), output, queue::kContentOffset + streamed_, queue_id())) {
        failed_ = fail("write queue file");
        return;
    }
    streamed_ += output.size();
    output.clear();
}

Verdict Submission::check_facts() const
{
    const auto& facts = pass_->facts();
    const long hops = static_cast<long>(facts.received_count) + (request_.prepend().empty() ? 0 : 1);
    if (settings_.hopcount_limit > 0 && hops >= settings_.hopcount_limit)
        return verdict(ipc::SUBMIT_HOPS);
    if (facts.rejected_character)
        return {ipc::SUBMIT_CONTENT, "5.7.1", "disallowed character"};
    if (facts.extract_overflow)
        return verdict(ipc::SUBMIT_SIZE);
    if (addresses_.failure())
        return {ipc::SUBMIT_WRITE, addresses_.failure()->enhanced_status, addresses_.failure()->text};
    return verdict(ipc::SUBMIT_OK);
}

// The first header that the table knows decides. A table that cannot tell costs the class, not the mail.
void Submission::note_priority(std::string_view header)
{
    auto& envelope = *request_.mutable_envelope();
    if (!envelope.queue_priority().empty())
        return;
    const auto found = tables_.header_priority.find(header);
    if (!found)
        log::warning("{}: queue_priority_header_maps: table lookup problem", queue_id());
    else if (*found)
        envelope.set_queue_priority(**found);
}

// SMTPUTF8 is needed on the next hop when it was asked for, or when autodetection finds what needs it (RFC 6531).
void Submission::note_utf8()
{
    auto& envelope = *request_.mutable_envelope();
    std::uint32_t needs = 0;
    if (pass_->facts().header_8bit)
        needs |= ipc::smtputf8::header;
    if (!text::all_ascii(envelope.sender()))
        needs |= ipc::smtputf8::sender;
    for (const auto& recipient : envelope.recipients())
        if (!text::all_ascii(recipient.address()))
            needs |= ipc::smtputf8::recipient;
    std::uint32_t bits = envelope.smtputf8();
    if (flag(request_, ipc::submit_flag::smtputf8) || (needs != 0 && flag(request_, ipc::submit_flag::autodetect_utf8)))
        bits |= ipc::smtputf8::requested;
    if (bits != 0)
        bits |= needs;
    envelope.set_smtputf8(bits);
}

Verdict Submission::complete_envelope()
{
    auto& envelope = *request_.mutable_envelope();
    const auto& facts = pass_->facts();
    const auto refused = [](const Refusal& refusal) {
        return Verdict{ipc::SUBMIT_WRITE, refusal.enhanced_status, refusal.text};
    };
    for (const auto& recipient : envelope.recipients())
        if (auto added = addresses_.add_recipient(recipient); !added)
            return refused(added.error());
    if (flag(request_, ipc::submit_flag::extract_recipients)) {
        for (const auto& address : facts.resent ? facts.resent_recipients : facts.recipients) {
            queue::Recipient recipient;
            recipient.set_address(address);
            if (auto added = addresses_.add_recipient(recipient); !added)
                return refused(added.error());
        }
    }
    if (addresses_.result().empty())
        return verdict(ipc::SUBMIT_RECIPIENTS);
    if (flag(request_, ipc::submit_flag::bcc))
        if (auto added = addresses_.add_blind_copies(envelope.sender()); !added)
            return refused(added.error());
    envelope.clear_recipients();
    for (auto& recipient : addresses_.result())
        envelope.mutable_recipients()->Add(std::move(recipient));
    envelope.set_message_id(facts.message_id == "<>" ? "" : facts.message_id);
    envelope.set_hold(queue_ == queue::kHold);
    envelope.set_internal(flag(request_, ipc::submit_flag::internal));
    if (settings_.delay_warning_time.count() > 0 && envelope.warn_at_seconds() == 0)
        envelope.set_warn_at_seconds(
            envelope.arrival_seconds() +
            std::chrono::duration_cast<std::chrono::seconds>(settings_.delay_warning_time).count());
    note_utf8();
    return verdict(ipc::SUBMIT_OK);
}

// What an administrator decided about mail to come. Notices of our own are left alone.
Verdict Submission::obey_standing_rules()
{
    auto& envelope = *request_.mutable_envelope();
    if (!rules_ || flag(request_, ipc::submit_flag::internal))
        return verdict(ipc::SUBMIT_OK);
    const auto decision = rules_->decide(envelope, queue_id(), pass_->facts().stored_bytes,
                                         static_cast<std::int64_t>(std::time(nullptr)));
    if (!decision)
        return verdict(ipc::SUBMIT_OK);
    log::info("{}: {} by standing rule {}", queue_id(), queue::action_name(decision->action), decision->rule);
    switch (decision->action) {
    case queue::RuleAction::remove:
        discarded_ = true;
        break;
    case queue::RuleAction::expire:
        envelope.set_expired_by_admin(true);
        break;
    case queue::RuleAction::hold:
        envelope.set_hold(true);
        // A large message has its file already.
        if (file_ && queue_ != queue::kHold)
            if (const auto moved = spool_.move(queue_id(), queue_, queue::kHold); !moved) {
                log::warning("{}: {}", queue_id(), moved.error().message());
                return verdict(ipc::SUBMIT_WRITE);
            }
        queue_ = queue::kHold;
        break;
    }
    return verdict(ipc::SUBMIT_OK);
}

std::uint32_t Submission::content_flags() const
{
    const auto& facts = pass_->facts();
    return (facts.leading_dot ? queue::content_flag::dots : 0) |
           (facts.header_8bit || facts.body_8bit ? queue::content_flag::eight_bit : 0) |
           (facts.longest_line > kLongLine ? queue::content_flag::long_lines : 0) |
           (facts.header_8bit ? queue::content_flag::eight_bit_headers : 0);
}

Verdict Submission::finish(QueueFile file)
{
    pass_->finish();
    const auto& facts = pass_->facts();
    if (!facts.resent_message_id.empty())
        log::info("{}: resent-message-id={}", request_.queue_id(),
                  text::printable(facts.resent_message_id, text::Utf8::allow));
    log::info("{}: message-id={}", request_.queue_id(), text::printable(facts.message_id, text::Utf8::allow));
    if (!failed_.ok())
        return failed_;
    if (auto checked = check_facts(); !checked.ok())
        return checked;
    if (auto completed = complete_envelope(); !completed.ok())
        return completed;
    if (auto obeyed = obey_standing_rules(); !obeyed.ok())
        return obeyed;
    content_size_ = facts.stored_bytes;
    if (discarded_)
        return verdict(ipc::SUBMIT_OK);
    return in_memory() ? write_whole(file) : write_rest();
}

Verdict Submission::write_whole(QueueFile file)
{
    file_pieces_ = queue::queue_file_pieces(std::move(pass_->output()), request_.envelope(), content_flags());
    file_size_ = 0;
    for (const auto& piece : file_pieces_)
        file_size_ += piece.size();
    status_offset_ = file_size_ - static_cast<std::size_t>(request_.envelope().recipients_size());
    if (file == QueueFile::when_needed && queue_ == queue::kIncoming && file_size_ <= kMaxWithoutFile &&
        request_.envelope().recipients_size() <= kMaxRecipientsWithoutFile)
        return verdict(ipc::SUBMIT_OK);
    if (!create_file())
        return verdict(ipc::SUBMIT_WRITE);
    std::uint64_t at = 0;
    for (const auto& piece : file_pieces_) {
        if (!write_at(file_.get(), piece, at, queue_id()))
            return fail("write queue file");
        at += piece.size();
    }
    return verdict(ipc::SUBMIT_OK);
}

Verdict Submission::write_rest()
{
    spill();
    if (!failed_.ok())
        return failed_;
    queue::QueueFileHeader header;
    header.content_size = streamed_;
    header.envelope_size = request_.envelope().ByteSizeLong();
    header.recipient_count = static_cast<std::uint32_t>(request_.envelope().recipients_size());
    header.content_flags = content_flags();
    header.arrival_seconds = request_.envelope().arrival_seconds();
    status_offset_ = header.status_offset();
    std::string tail = request_.envelope().SerializeAsString();
    tail.append(header.recipient_count, static_cast<char>(queue::RecipientState::pending));
    if (!write_at(file_.get(), tail, header.envelope_offset(), queue_id()) ||
        !write_at(file_.get(), header.encode(), 0, queue_id()))
        return fail("write queue file");
    return verdict(ipc::SUBMIT_OK);
}

Verdict Submission::publish()
{
    if (::fchmod(file_.get(), 0700) != 0)
        return fail("fchmod queue file");
    published_ = true;
    return verdict(ipc::SUBMIT_OK);
}

ipc::Arrived Submission::arrival() const
{
    ipc::Arrived arrived;
    arrived.set_queue_id(request_.queue_id());
    *arrived.mutable_envelope() = request_.envelope();
    arrived.set_content_offset(queue::kContentOffset);
    arrived.set_content_size(content_size_);
    arrived.set_content_flags(content_flags());
    arrived.set_status_offset(status_offset_);
    arrived.set_hold(queue_ == queue::kHold);
    return arrived;
}

bool Submission::bounce_on_failure() const
{
    return flag(request_, ipc::submit_flag::bounce);
}

} // namespace facteur::cleanup
