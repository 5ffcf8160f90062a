#include "daemons/smtpd/standalone.h"

#include "base/log.h"
#include "ipc/flags.h"
#include "smtp/xtext.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

extern char** environ;

namespace facteur::smtpd {

namespace {

std::string notify_words(std::uint32_t bits)
{
    constexpr std::pair<std::uint32_t, std::string_view> kWords[] = {{ipc::notify::never, "never"},
                                                                     {ipc::notify::success, "success"},
                                                                     {ipc::notify::failure, "failure"},
                                                                     {ipc::notify::delay, "delay"}};
    std::string words;
    for (const auto& [bit, word] : kWords)
        if ((bits & bit) != 0)
            words += (words.empty() ? "" : ",") + std::string(word);
    return words;
}

std::vector<std::string> sendmail_arguments(const std::string& program, const queue::Envelope& envelope)
{
    std::vector<std::string> arguments{program, "-G", "-i", "-f", envelope.sender()};
    if (!envelope.dsn_envid().empty())
        arguments.insert(arguments.end(), {"-V", smtp::xtext_encode(envelope.dsn_envid())});
    if (envelope.dsn_ret() != 0)
        arguments.insert(arguments.end(), {"-R", envelope.dsn_ret() == ipc::ret::full ? "full" : "hdrs"});
    if (envelope.recipients_size() > 0 && envelope.recipients(0).dsn_notify() != 0)
        arguments.insert(arguments.end(), {"-N", notify_words(envelope.recipients(0).dsn_notify())});
    arguments.emplace_back("--");
    for (const queue::Recipient& recipient : envelope.recipients())
        arguments.push_back(recipient.address());
    return arguments;
}

// sendmail takes lines that end in LF alone.
std::string with_newlines(std::string_view content)
{
    std::string text;
    text.reserve(content.size());
    for (const char c : content)
        if (c != '\r')
            text += c;
    return text;
}

// Runs a program on these bytes as its standard input; its exit status, or -1.
int run_program(const std::vector<std::string>& arguments, const std::string& input)
{
    const UniqueFd file(::memfd_create("message", MFD_CLOEXEC));
    if (!file || !write_all(file.get(), input, "message") || ::lseek(file.get(), 0, SEEK_SET) != 0)
        return -1;
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, file.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    // Our effective ids may be the mail owner's for the time being; the command must not look like a set-uid program.
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_RESETIDS);
    pid_t child = -1;
    const int spawned = ::posix_spawn(&child, argv[0], &actions, &attributes, argv.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    if (spawned != 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

// Copies until end of file. Either side may be in non-blocking mode.
void pump(int from, int to)
{
    std::array<char, 16 << 10> buffer;
    for (;;) {
        const ssize_t got = ::read(from, buffer.data(), buffer.size());
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            pollfd wait{from, POLLIN, 0};
            ::poll(&wait, 1, -1);
            continue;
        }
        if (got <= 0)
            return;
        for (ssize_t at = 0; at < got;) {
            const ssize_t put = ::write(to, buffer.data() + at, static_cast<std::size_t>(got - at));
            if (put > 0) {
                at += put;
            } else if (put < 0 && (errno == EAGAIN || errno == EINTR)) {
                pollfd wait{to, POLLOUT, 0};
                ::poll(&wait, 1, -1);
            } else {
                return;
            }
        }
    }
}

} // namespace

StandaloneServices::StandaloneServices(service::Process& process)
    : process_(process), sendmail_(process.config.get(config::params::command_directory) + "/sendmail")
{
}

event::Task<std::expected<std::string, ipc::IpcError>> StandaloneServices::rewrite(std::string, std::string address)
{
    co_return std::move(address);
}

event::Task<std::expected<ipc::ResolveReply, ipc::IpcError>> StandaloneServices::resolve(std::string,
                                                                                         std::string address)
{
    ipc::ResolveReply reply;
    reply.set_recipient(std::move(address));
    co_return std::move(reply);
}

event::Task<std::expected<ipc::SubmitReply, ipc::IpcError>>
StandaloneServices::submit(const ipc::SubmitRequest& request, Content content)
{
    pending_ = request;
    content_.clear();
    ipc::SubmitChunk all;
    all.set_last(request.last());
    auto answer = co_await submit_chunk(all, std::move(content));
    co_return std::move(answer);
}

event::Task<std::expected<ipc::SubmitReply, ipc::IpcError>>
StandaloneServices::submit_chunk(const ipc::SubmitChunk& chunk, Content content)
{
    ipc::SubmitReply reply;
    if (content)
        content_ += *content;
    if (chunk.abort())
        content_.clear();
    if (!chunk.last())
        co_return std::move(reply);
    const std::string input = with_newlines(pending_.prepend()) + with_newlines(std::exchange(content_, {}));
    const auto arguments = sendmail_arguments(sendmail_, pending_.envelope());
    auto work = [&arguments, &input] { return run_program(arguments, input); };
    auto running = process_.pool.run(work);
    const int status = co_await running;
    if (status != 0) {
        log::warning("command \"{}\" exited with status {}", sendmail_, status);
        reply.set_status(ipc::SUBMIT_WRITE);
    }
    reply.set_queue_id(pending_.queue_id());
    co_return std::move(reply);
}

event::Task<ipc::FlushReply::Status> StandaloneServices::flush_site(std::string)
{
    co_return ipc::FlushReply::BAD;
}

event::Task<std::optional<ipc::AnvilReply>> StandaloneServices::count(ipc::AnvilRequest::Operation, std::string)
{
    co_return std::nullopt;
}

event::Task<void> StandaloneServices::disconnected(std::string)
{
    co_return;
}

event::Task<Client> StandaloneServices::identify(net::SocketAddress)
{
    Client client;
    client.name = client.reverse_name = "localhost";
    client.name_status = client.reverse_name_status = NameStatus::ok;
    client.address = "127.0.0.1";
    client.port = "0";
    co_return std::move(client);
}

StandardStreams::StandardStreams()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return;
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
    set_nonblocking(ours_.get());
    const int theirs = theirs_.get();
    // Ends with the process at the latest: it may wait for a terminal.
    std::thread([theirs] {
        pump(STDIN_FILENO, theirs);
        ::shutdown(theirs, SHUT_WR);
    }).detach();
    output_ = std::thread([theirs] { pump(theirs, STDOUT_FILENO); });
}

StandardStreams::~StandardStreams()
{
    ours_.reset();
    if (output_.joinable())
        output_.join();
    (void)theirs_.release(); // the input thread may still use it
}

} // namespace facteur::smtpd
