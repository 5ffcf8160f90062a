// Who would accept or refuse: asks each service's own smtpd, run without a client.
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "tools/postfix/explain.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

extern char** environ;

namespace facteur::postfix_command {

namespace {

using config::MasterEntry;

constexpr std::size_t kOutputLimit = 1 << 20;

// The standard output of a program; its standard error goes nowhere.
std::expected<std::string, std::string> output_of(std::vector<std::string> words)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return std::unexpected("pipe: " + errno_text(errno));
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, writer.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = -1;
    const int failed = ::posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    writer.reset();
    if (failed != 0)
        return std::unexpected(words[0] + ": " + errno_text(failed));
    std::string out;
    std::array<char, 4096> buffer;
    for (;;) {
        const ssize_t got = ::read(reader.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || out.size() > kOutputLimit)
            break;
        out.append(buffer.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return std::unexpected(words[0] + " could not start; the log says why");
    return out;
}

// Fields of one line, empty ones too.
std::vector<std::string> fields_of(std::string_view line)
{
    std::vector<std::string> fields;
    for (;;) {
        const auto tab = line.find('\t');
        fields.emplace_back(line.substr(0, tab));
        if (tab == line.npos)
            return fields;
        line.remove_prefix(tab + 1);
    }
}

void read_line(std::string_view line, Judgement& out)
{
    auto fields = fields_of(line);
    if (fields[0] == "step" && fields.size() == 7) {
        const int depth = static_cast<int>(text::to_long(fields[2]).value_or(1));
        out.steps.push_back({std::move(fields[1]), depth, std::move(fields[3]), std::move(fields[4]),
                             std::move(fields[5]), std::move(fields[6])});
    } else if (fields[0] == "end" && fields.size() == 3) {
        out.outcome = fields[1] == "accept" ? Judgement::Outcome::accept : Judgement::Outcome::reject;
        out.text = std::move(fields[2]);
    }
}

Judgement judge(const config::Config& config, const MasterEntry& entry, const Question& question)
{
    Judgement out{.service = entry.service_key(), .line = entry.line};
    const std::string& client = question.client;
    const std::string helo = client.find(':') == client.npos ? "[" + client + "]" : "[IPv6:" + client + "]";
    std::vector<std::string> words{config.get(config::params::daemon_directory) + "/" + entry.program,
                                   "-S",
                                   "-n",
                                   entry.name,
                                   "-t",
                                   std::string(config::to_string(entry.type))};
    words.insert(words.end(), entry.args.begin(), entry.args.end());
    words.insert(words.end(), {"explain", client, helo, question.sender, question.recipient});
    const auto output = output_of(std::move(words));
    if (!output) {
        out.text = output.error();
        return out;
    }
    for (const auto line : text::split(*output, "\n"))
        read_line(line, out);
    if (out.outcome == Judgement::Outcome::unknown)
        out.text = "the program gave no answer";
    return out;
}

} // namespace

std::vector<Judgement> judge_services(const config::Config& config, const std::vector<MasterEntry>& services,
                                      const Question& question)
{
    std::vector<Judgement> out;
    for (const MasterEntry& entry : services)
        if (entry.program == "smtpd" &&
            (entry.type == config::SocketType::inet || entry.type == config::SocketType::pass))
            out.push_back(judge(config, entry, question));
    return out;
}

} // namespace facteur::postfix_command
