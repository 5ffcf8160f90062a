// Whether a request is let through: runs the restriction lists over the facts of a session. Source:
// SMTPD_ACCESS_README.
//
// A temporary doubt (defer_if_permit, defer_if_reject) is remembered: it turns a later yes or no into "try again". With
// smtpd_delay_reject the client, HELO and sender lists run again at every RCPT, so that a refusal can name its
// recipient.
#pragma once

#include "daemons/smtpd/context.h"
#include "daemons/smtpd/facts.h"
#include "daemons/smtpd/restrictions/rule.h"

#include <optional>
#include <string>
#include <string_view>

namespace facteur::smtpd {

class Judge {
public:
    Judge(Context& context, Facts& facts) : context_(context), facts_(facts) {}

    // Each gives the reply that refuses, or nothing.
    using Refusal = std::optional<std::string>;
    event::Task<Refusal> client();
    event::Task<Refusal> helo(std::string name);
    event::Task<Refusal> sender(std::string address);
    event::Task<Refusal> recipient(std::string address);
    event::Task<Refusal> data();
    event::Task<Refusal> end_of_data();
    event::Task<Refusal> etrn(std::string domain);
    void forget(); // a new transaction or greeting: doubts are forgotten

    // --- for rules ---
    [[nodiscard]] Context& context() const { return context_; }
    [[nodiscard]] Facts& facts() const { return facts_; }
    [[nodiscard]] const Settings& settings() const { return context_.settings; }

    // Why something is refused decides whether warn_if_reject may soften it: not when we are at fault.
    enum class Fault { policy, bounce, software, resource };
    Verdict refuse(Fault fault, long code, std::string_view status, std::string_view text);
    Verdict server_error();                          // 451 4.3.5: our configuration is wrong
    Verdict lookup_failed(std::string_view subject); // 451 4.3.0: a table cannot answer now
    Verdict doubt_if_permit(long code, std::string_view status, std::string_view text);
    Verdict doubt_if_reject(long code, std::string_view status, std::string_view text);
    Verdict permit(std::string_view rule, std::string_view argument, const Subject& subject);
    // "ID: hold: RCPT from client[addr]: text; from=<> to=<> proto= helo=<>"
    void log_action(std::string_view action, std::string_view text) const;

    event::Task<Verdict> apply(const RuleList& rules, const Subject& subject);
    // A restriction list out of an access table.
    event::Task<Verdict> apply_text(std::string text, const Subject& subject, std::string_view implied);

    // Where mail for an address goes, asked of trivial-rewrite. Nothing when it cannot tell now.
    event::Task<std::optional<ipc::ResolveReply>> resolve(std::string address);
    [[nodiscard]] bool is_being_judged(std::string_view where) const { return facts_.where == where; }
    [[nodiscard]] bool recipient_listed_checked() const { return recipient_checked_; }
    void note_recipient_checked() { recipient_checked_ = true; }
    void note_sender_checked() { sender_checked_ = true; }

private:
    struct Doubt {
        bool active = false;
        long code = 450;
        std::string status;
        std::string text;
    };
    event::Task<Verdict> run(const RuleList& rules, const Subject& subject);
    event::Task<Verdict> one_step(const Step& step, const Subject& subject);
    event::Task<Refusal> relay_and_recipient(const std::string& address);
    Verdict raise(Doubt& doubt, long code, std::string_view status, std::string_view text);
    Refusal refusal(Verdict verdict) const { return verdict == Verdict::reject ? Refusal(reply_) : Refusal(); }

    Context& context_;
    Facts& facts_;
    std::string reply_;
    Doubt if_permit_;
    Doubt if_reject_;
    // Doubts of earlier stages: a later list starts from what its predecessors left.
    bool doubt_of_client_ = false;
    bool doubt_of_helo_ = false;
    bool doubt_of_sender_ = false;
    int depth_ = 0;
    int warn_depth_ = 0; // 0: refusals refuse; else the depth at which warn_if_reject stands
    bool sender_checked_ = false;
    bool recipient_checked_ = false;
};

// Validates "4xx"/"5xx", keeps code and status of one class, and cuts the text to what fits a reply line.
struct ReplyParts {
    long code;
    std::string_view status;
    std::string_view text;
};
std::string make_refusal(const ReplyParts& parts, bool soft_bounce);

} // namespace facteur::smtpd
