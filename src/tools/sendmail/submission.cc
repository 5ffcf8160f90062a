#include "tools/sendmail/submission.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "ipc/messages.pb.h"
#include "queue/maildrop.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace facteur::sendmail {

namespace {

// What a person is told, as cleanup's verdicts are worded elsewhere.
std::string_view status_text(long status)
{
    switch (status) {
    case ipc::SUBMIT_SIZE:
        return "message file too big";
    case ipc::SUBMIT_WRITE:
        return "queue file write error";
    case ipc::SUBMIT_BAD:
        return "internal protocol error";
    default:
        return "service unavailable";
    }
}

std::string read_all(int fd)
{
    std::string out;
    char buffer[512];
    for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR);)
        if (got > 0 && out.size() < 4096)
            out.append(buffer, static_cast<std::size_t>(got));
    return out;
}

} // namespace

Submission::Submission(pid_t pid, UniqueFd input, UniqueFd output, std::string command)
    : pid_(pid), input_(std::move(input)), output_(std::move(output)), command_(std::move(command))
{
}

Submission::Submission(Submission&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), input_(std::move(other.input_)), output_(std::move(other.output_)),
      command_(std::move(other.command_))
{
}

// Without the end record postdrop throws away what it got.
Submission::~Submission()
{
    input_.reset();
    if (pid_ > 0)
        ::waitpid(pid_, nullptr, 0);
}

std::expected<Submission, std::string> Submission::start(const std::string& command)
{
    int to[2];
    int from[2];
    if (::pipe2(to, O_CLOEXEC) != 0)
        return std::unexpected("pipe: " + errno_text(errno));
    UniqueFd to_read(to[0]);
    UniqueFd to_write(to[1]);
    if (::pipe2(from, O_CLOEXEC) != 0)
        return std::unexpected("pipe: " + errno_text(errno));
    UniqueFd from_read(from[0]);
    UniqueFd from_write(from[1]);
    const pid_t pid = ::fork();
    if (pid < 0)
        return std::unexpected("fork: " + errno_text(errno));
    if (pid == 0) {
        ::dup2(to_read.get(), STDIN_FILENO);
        ::dup2(from_write.get(), STDOUT_FILENO);
        ::execl(command.c_str(), command.c_str(), "-r", nullptr);
        ::_exit(127);
    }
    Submission submission(pid, std::move(to_write), std::move(from_read), command + " -r");
    submission.put(queue::kMaildropMagic);
    return submission;
}

void Submission::put(std::string_view bytes)
{
    if (!broken_ && !write_all(input_.get(), bytes, command_))
        broken_ = true;
}

void Submission::send_envelope(const queue::Envelope& envelope)
{
    put(queue::maildrop_record(queue::MaildropRecord::envelope, envelope.SerializeAsString()));
}

void Submission::send_content(std::string_view bytes)
{
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), queue::kMaildropChunkLimit)))
        put(queue::maildrop_record(queue::MaildropRecord::content, bytes.substr(0, queue::kMaildropChunkLimit)));
}

std::expected<std::string, std::string> Submission::finish()
{
    put(queue::maildrop_record(queue::MaildropRecord::end, {}));
    input_.reset();
    const std::string answer = read_all(output_.get());
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return verdict(answer, status);
}

std::expected<std::string, std::string> Submission::verdict(const std::string& answer, int wait_status) const
{
    const auto words = text::split(answer, " \n");
    if (words.size() == 2 && words[0] == "OK" && wait_status == 0)
        return std::string(words[1]);
    if (words.size() >= 2 && words[0] == "ERROR")
        return std::unexpected(std::string(status_text(text::to_long(words[1]).value_or(-1))));
    if (WIFEXITED(wait_status))
        log::warning("command \"{}\" exited with status {}", command_, WEXITSTATUS(wait_status));
    else
        log::warning("command \"{}\" was killed by signal {}", command_, WTERMSIG(wait_status));
    const bool missing = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 127;
    return std::unexpected(
        fmt::format("unable to execute {}: {}", command_, missing ? errno_text(ENOENT) : "Application error"));
}

} // namespace facteur::sendmail
