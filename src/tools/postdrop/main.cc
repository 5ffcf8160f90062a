// postdrop [-rv] [-c config_dir]: the one program that writes into maildrop/, set-gid so that users need no other
// right. Works while the mail system is down. Source: postdrop(1).
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "net/address.h"
#include "service/service.h"
#include "service/user_rights.h"
#include "table/user_list.h"
#include "tools/postdrop/drop.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

extern char** environ;

namespace {

using namespace facteur;

[[noreturn]] void die(std::string_view text)
{
    log::fatal("{}", text);
    log::flush();
    ::exit(1);
}

void interrupted(int signal)
{
    postdrop::MaildropFile::remove_unfinished();
    ::_exit(128 + signal);
}

// Only what helps to find the configuration and to log: the caller is not trusted.
void clean_environment()
{
    const char* const directory = std::getenv("MAIL_CONFIG");
    const char* const zone = std::getenv("TZ");
    const std::string kept_directory = directory ? directory : "";
    const std::string kept_zone = zone ? zone : "";
    const bool trusted = ::getuid() == 0;
    if (!trusted)
        ::clearenv();
    if (directory)
        ::setenv("MAIL_CONFIG", kept_directory.c_str(), 1);
    if (zone)
        ::setenv("TZ", kept_zone.c_str(), 1);
}

void open_standard_descriptors()
{
    for (int fd = 0; fd < 3; ++fd)
        if (::fcntl(fd, F_GETFL) < 0 && ::open("/dev/null", O_RDWR) != fd)
            ::_exit(1);
}

config::Config load(std::optional<std::string> option)
{
    const std::string directory = config::configuration_directory(std::move(option));
    log::set_tag("postdrop");
    if (const auto allowed = service::authorize_directory(directory); !allowed) {
        log::error("{}", allowed.error().error);
        die(allowed.error().fatal);
    }
    return service::load_tool_config("postdrop", directory);
}

void check_user(const config::Config& config)
{
    const std::string name = service::login_name().value_or("unknown");
    const auto allowed = table::user_is_listed(name, config::params::authorized_submit_users, config);
    if (!allowed)
        die(fmt::format("authorized_submit_users: {}", allowed.error()));
    if (!*allowed)
        die(fmt::format("User {}({}) is not allowed to submit mail", name, ::getuid()));
}

// pickup looks by itself now and then: nothing is lost when it does not hear us.
void wake_pickup(const config::Config& config)
{
    const auto address = net::SocketAddress::unix_path("public/" + config.get(config::params::pickup_service_name));
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!address || !fd || ::connect(fd.get(), address->get(), address->length()) != 0)
        return;
    if (::send(fd.get(), "W", 1, MSG_NOSIGNAL) != 1)
        log::debug("trigger pickup: {}", errno_text(errno));
}

int answer(std::string_view line)
{
    const std::string text = std::string(line) + '\n';
    return write_all(STDOUT_FILENO, text, "standard output") ? 0 : 1;
}

int drop(const config::Config& config)
{
    auto file = postdrop::MaildropFile::create(config.get(config::params::enable_long_queue_ids));
    if (!file)
        die(file.error());
    const auto refuse = [](ipc::SubmitStatus status, const std::string& text) {
        log::warning("uid={}: {}", ::getuid(), text);
        (void)answer(fmt::format("ERROR {} {}", static_cast<int>(status), text));
        return 1;
    };
    const auto copied = postdrop::copy_message(
        STDIN_FILENO, *file, static_cast<std::uint64_t>(config.get(config::params::message_size_limit)));
    if (!copied && copied.error().status == ipc::SUBMIT_BAD) {
        postdrop::MaildropFile::remove_unfinished();
        die(fmt::format("uid={}: {}", ::getuid(), copied.error().text));
    }
    if (!copied)
        return refuse(copied.error().status, copied.error().text);
    if (const auto published = file->publish(); !published)
        return refuse(ipc::SUBMIT_WRITE, published.error());
    wake_pickup(config);
    return answer("OK " + file->name());
}

} // namespace

int main(int argc, char** argv)
{
    open_standard_descriptors();
    clean_environment();
    ::umask(022);
    ::signal(SIGPIPE, SIG_IGN);
    std::optional<std::string> directory;
    int verbosity = 0;
    int letter = 0;
    log::set_tag("postdrop");
    while ((letter = ::getopt(argc, argv, "c:rv")) > 0) {
        switch (letter) {
        case 'c':
            directory = optarg;
            break;
        case 'r':
            break; // the only protocol there is
        case 'v':
            verbosity += ::getuid() == 0 ? 1 : 0;
            break;
        default:
            die(fmt::format("usage: {} [-c config_dir] [-v]", argv[0]));
        }
    }
    log::set_verbosity(verbosity);
    const config::Config config = load(directory);
    const std::string& queue_directory = config.get(config::params::queue_directory);
    if (::chdir(queue_directory.c_str()) != 0)
        die(fmt::format("chdir {}: {}", queue_directory, errno_text(errno)));
    service::set_tool_log(config, "postdrop");
    check_user(config);
    for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM})
        ::signal(number, interrupted);
    const int status = drop(config);
    log::flush();
    return status;
}
