// sendmail, mailq, newaliases: the commands that other programs know. Runs with its caller's rights; what needs more is
// done by postdrop, postqueue and the daemons. Source: sendmail(1).
//
// Every fatal problem ends with status 75: the caller keeps the mail and may try again.
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "ipc/flags.h"
#include "mail/address.h"
#include "service/service.h"
#include "service/user_rights.h"
#include "table/user_list.h"
#include "tools/sendmail/message_source.h"
#include "tools/sendmail/options.h"
#include "tools/sendmail/submission.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>

namespace {

using namespace facteur;
using sendmail::Mode;
using sendmail::Options;

constexpr std::size_t kHeaderLimit = 4 << 20; // how much header -t looks at
constexpr std::uint32_t kTraceVerify = 1;
constexpr std::uint32_t kTraceRecord = 2;

[[noreturn]] void die(std::string_view text)
{
    log::fatal("{}", text);
    log::flush();
    ::exit(EX_TEMPFAIL);
}

[[noreturn]] void execute(const std::string& path, std::vector<std::string> words)
{
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    log::flush();
    ::execv(path.c_str(), arguments.data());
    die(fmt::format("{}: {}", path, errno_text(errno)));
}

// NAME, else the account's name, where '&' stands for the login name.
std::string full_name()
{
    if (const char* const name = std::getenv("NAME"); name && *name)
        return name;
    const passwd* const account = ::getpwuid(::getuid());
    if (!account || !account->pw_gecos)
        return {};
    const std::string_view gecos(account->pw_gecos);
    std::string out;
    for (const char c : gecos.substr(0, gecos.find_first_of(",;%"))) {
        if (c != '&') {
            out += c;
            continue;
        }
        const auto at = out.size();
        out += account->pw_name;
        if (at < out.size())
            out[at] = text::upper(out[at]);
    }
    return out;
}

class Enqueue {
public:
    Enqueue(const config::Config& config, const Options& options) : config_(config), options_(options) {}

    int run()
    {
        check_user();
        choose_sender();
        fill_envelope();
        sendmail::LineFilter lines(options_.dot_ends,
                                   sendmail::carriage_of(config_.get(config::params::sendmail_fix_line_endings)));
        std::string start;
        bool more = options_.mode == Mode::enqueue;
        while (more && options_.extract_recipients && start.size() < kHeaderLimit && !sendmail::header_end(start))
            more = read_some(lines, start);
        add_recipients(start);

        auto submission = sendmail::Submission::start(config_.get(config::params::command_directory) + "/postdrop");
        if (!submission)
            die_as_user(submission.error());
        submission->send_envelope(envelope_);
        if (options_.mode == Mode::verify)
            start = fmt::format("From: {}\nSubject: probe\n\n", shown_sender());
        submission->send_content(start);
        while (more) {
            start.clear();
            more = read_some(lines, start);
            submission->send_content(start);
        }
        if (const auto accepted = submission->finish(); !accepted)
            die_as_user(accepted.error());
        if (envelope_.trace_flags() != 0)
            fmt::print("Mail Delivery Status Report will be mailed to <{}>.\n", envelope_.sender());
        return 0;
    }

private:
    [[noreturn]] void die_as_user(std::string_view text) const
    {
        die(fmt::format("{}({}): {}", envelope_.sender(), ::getuid(), text));
    }

    void check_user()
    {
        const auto login = service::login_name();
        const auto allowed =
            table::user_is_listed(login.value_or("unknown"), config::params::authorized_submit_users, config_);
        if (!allowed)
            die(fmt::format("authorized_submit_users: {}", allowed.error()));
        if (!*allowed)
            die(fmt::format("User {}({}) is not allowed to submit mail", login.value_or("unknown"), ::getuid()));
    }

    void choose_sender()
    {
        if (!options_.sender) {
            const auto login = service::login_name();
            if (!login)
                die(fmt::format("no login name found for user ID {}", ::getuid()));
            envelope_.set_sender(*login);
            return;
        }
        const auto addresses = mail::header_addresses(*options_.sender);
        const std::string_view given = text::trim(*options_.sender);
        if (addresses.size() != 1 && !given.empty() && given != "<>")
            log::warning("-f option specified malformed sender: {}", *options_.sender);
        if (!addresses.empty())
            envelope_.set_sender(addresses.front());
    }

    [[nodiscard]] std::string shown_sender() const { return mail::to_external(envelope_.sender()); }

    void fill_envelope()
    {
        using namespace std::chrono;
        const auto now = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
        envelope_.set_arrival_seconds(now / 1'000'000);
        envelope_.set_arrival_microseconds(static_cast<std::uint32_t>(now % 1'000'000));
        envelope_.set_full_name(options_.full_name ? *options_.full_name : full_name());
        envelope_.set_encoding(options_.encoding);
        envelope_.set_dsn_ret(options_.dsn_ret);
        envelope_.set_dsn_envid(options_.envelope_id);
        envelope_.set_rewrite_context(options_.gateway ? "remote" : "local");
        if (options_.mode == Mode::verify)
            envelope_.set_trace_flags(kTraceVerify);
        else if (options_.verbosity == 1)
            envelope_.set_trace_flags(kTraceRecord);
        if (options_.verp)
            set_verp(*options_.verp);
    }

    void set_verp(const std::string& given)
    {
        const std::string& delimiters = given.empty() ? config_.get(config::params::default_verp_delimiters) : given;
        const std::string& allowed = config_.get(config::params::verp_delimiter_filter);
        if (delimiters.size() != 2 || delimiters.find_first_not_of(allowed) != delimiters.npos)
            die("-V requires two characters from " + allowed);
        if (envelope_.sender().empty())
            die_as_user("-V option requires non-null sender address");
        envelope_.set_verp_delimiters(delimiters);
    }

    void add_recipients(std::string_view start)
    {
        for (const std::string& argument : options_.recipients)
            for (const std::string& address : mail::header_addresses(argument))
                add_recipient(address);
        if (options_.extract_recipients)
            for (const std::string& address :
                 sendmail::header_recipients(start.substr(0, sendmail::header_end(start).value_or(start.size()))))
                add_recipient(address);
        if (envelope_.recipients_size() > 0)
            return;
        if (options_.extract_recipients)
            die_as_user("No recipient addresses found in message header");
        die_as_user("Recipient addresses must be specified on the command line or via the -t option");
    }

    void add_recipient(const std::string& address)
    {
        auto* const recipient = envelope_.add_recipients();
        recipient->set_address(address);
        recipient->set_dsn_notify(options_.dsn_notify);
    }

    // False at the end of the message.
    bool read_some(sendmail::LineFilter& lines, std::string& out)
    {
        char buffer[65536];
        const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            return true;
        if (got < 0)
            die_as_user("error reading input: " + errno_text(errno));
        if (got > 0)
            return lines.take({buffer, static_cast<std::size_t>(got)}, out);
        lines.finish(out);
        return false;
    }

    const config::Config& config_;
    const Options& options_;
    queue::Envelope envelope_;
};

[[noreturn]] void rebuild_aliases(const config::Config& config, const Options& options)
{
    std::vector<std::string> words{"postalias"};
    const std::string list = options.alias_database.value_or(config.get(config::params::alias_database));
    for (const auto table : text::split_list(list))
        words.emplace_back(table);
    if (words.size() == 1)
        ::exit(0);
    execute(config.get(config::params::command_directory) + "/postalias", std::move(words));
}

int act(const config::Config& config, const Options& options)
{
    const std::string commands = config.get(config::params::command_directory);
    switch (options.mode) {
    case Mode::enqueue:
    case Mode::verify:
        return Enqueue(config, options).run();
    case Mode::mailq:
        if (options.where)
            execute(commands + "/postqueue", {"postqueue", "-p", "--where", *options.where});
        execute(commands + "/postqueue", {"postqueue", "-p"});
    case Mode::flush:
        if (!options.site.empty())
            execute(commands + "/postqueue", {"postqueue", "-s", options.site});
        if (!options.queue_id.empty())
            execute(commands + "/postqueue", {"postqueue", "-i", options.queue_id});
        execute(commands + "/postqueue", {"postqueue", "-f"});
    case Mode::stand_alone:
        execute(config.get(config::params::daemon_directory) + "/smtpd", {"smtpd", "-S"});
    case Mode::daemon:
        execute(commands + "/postfix", {"postfix", "start"});
    case Mode::newaliases:
        rebuild_aliases(config, options);
    }
    return EX_SOFTWARE;
}

// -C names main.cf or its directory.
std::string directory_of(std::string name)
{
    if (name.ends_with(".cf"))
        name.resize(name.rfind('/') == name.npos ? 0 : name.rfind('/'));
    return name;
}

void use_directory(const std::string& name)
{
    const std::string directory = directory_of(name);
    if (const auto allowed = service::authorize_option(directory); !allowed) {
        log::error("{}", allowed.error().error);
        die(allowed.error().fatal);
    }
    // The programs that we start find it here.
    ::setenv("MAIL_CONFIG", directory.c_str(), 1);
}

} // namespace

int main(int argc, char** argv)
{
    ::signal(SIGPIPE, SIG_IGN);
    for (int fd = 0; fd < 3; ++fd)
        if (::fcntl(fd, F_GETFL) < 0 && ::open("/dev/null", O_RDWR) != fd)
            return EX_OSERR;
    const std::string_view path(argc > 0 ? argv[0] : "sendmail");
    std::string program(path.substr(path.rfind('/') + 1));
    if (argc > 0)
        argv[0] = program.data(); // what getopt(3) calls us
    log::set_tag("sendmail");
    if (::geteuid() != ::getuid())
        die("the Postfix sendmail command must be installed without set-uid root file permissions");
    const auto options = sendmail::parse_options(program, argc, argv);
    if (options && options->directory)
        use_directory(*options->directory);
    auto config = config::Config::load(config::configuration_directory({}));
    if (!config)
        die(config.error().message());
    service::set_tool_log(*config, "sendmail");
    if (!options)
        die(options.error());
    log::set_verbosity(options->verbosity - 1);
    for (const std::string& warning : options->warnings)
        log::warning("{}", warning);
    const int status = act(*config, *options);
    log::flush();
    return status;
}
