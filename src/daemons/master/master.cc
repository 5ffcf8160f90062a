#include "daemons/master/master.h"

#include "base/error.h"
#include "base/log.h"
#include "config/check.h"
#include "config/difference.h"
#include "service/log_sinks.h"
#include "service/reload_report.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace facteur::master {

namespace {

constexpr std::chrono::seconds kTermination{5}; // from SIGTERM to SIGKILL

// Both ends above the descriptor numbers that workers use.
std::expected<std::pair<UniqueFd, UniqueFd>, std::string> make_pipe()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return std::unexpected("pipe: " + errno_text(errno));
    const UniqueFd low_read(ends[0]);
    const UniqueFd low_write(ends[1]);
    UniqueFd read_end(::fcntl(low_read.get(), F_DUPFD_CLOEXEC, 256));
    UniqueFd write_end(::fcntl(low_write.get(), F_DUPFD_CLOEXEC, 256));
    if (!read_end || !write_end)
        return std::unexpected("dup: " + errno_text(errno));
    return std::pair{std::move(read_end), std::move(write_end)};
}

std::expected<service::InstanceLock, std::string> lock_file(const std::string& path, const std::string& shown)
{
    auto lock = service::InstanceLock::acquire(path);
    if (lock)
        return std::move(*lock);
    if (lock.error().operation == "flock")
        return std::unexpected(
            fmt::format("open lock file {}: unable to set exclusive lock: {}", shown, errno_text(lock.error().code)));
    return std::unexpected(
        fmt::format("open lock file {}: cannot open file: {}", shown, errno_text(lock.error().code)));
}

const OpenSocket* find_socket(const std::vector<OpenSocket>& sockets, const std::string& name)
{
    const auto found = std::ranges::find(sockets, name, &OpenSocket::name);
    return found == sockets.end() ? nullptr : &*found;
}

} // namespace

void set_master_log(const config::Config& config)
{
    log::set_tag(config.get(config::params::syslog_name) + "/master");
    const std::string& file = config.get(config::params::maillog_file);
    if (file.empty())
        log::set_sink(
            service::make_syslog_sink(nullptr, service::facility_code(config.get(config::params::syslog_facility))));
    else
        log::set_sink(service::make_file_sink(file, config.get(config::params::myhostname)));
}

Master::Master(event::Loop& loop, config::Config config, Options options)
    : loop_(loop), config_(std::move(config)), options_(options), ground_{loop, {}, options.verbosity, options.debugger}
{
}

std::expected<void, std::string> Master::lock()
{
    auto pid_lock = lock_file(std::string(service::kMasterPidFile), std::string(service::kMasterPidFile));
    if (!pid_lock)
        return std::unexpected(pid_lock.error());
    if (const auto written = pid_lock->write_pid(::getpid()); !written)
        return std::unexpected(written.error().message());
    pid_lock_ = std::move(*pid_lock);

    const std::string path = config_.get(config::params::data_directory) + "/" + std::string(service::kMasterLockFile);
    // As its owner: the data directory is not root's.
    const service::ActAs act(owner_ ? owner_->uid : ::geteuid(), owner_ ? owner_->gid : ::getegid());
    auto data_lock = lock_file(path, path);
    if (!data_lock)
        return std::unexpected(data_lock.error());
    data_lock_ = std::move(*data_lock);
    return {};
}

std::expected<void, std::string> Master::open_pipes()
{
    auto lifeline = make_pipe();
    if (!lifeline)
        return std::unexpected(lifeline.error());
    auto status = make_pipe();
    if (!status)
        return std::unexpected(status.error());
    auto config = config_file(config_);
    if (!config)
        return std::unexpected(config.error());
    config_file_ = std::move(*config);
    ground_.workers.config = config_file_.get();
    std::tie(lifeline_read_, lifeline_write_) = std::move(*lifeline);
    std::tie(status_read_, status_write_) = std::move(*status);
    set_nonblocking(status_read_.get());
    ground_.workers.lifeline = lifeline_read_.get();
    ground_.workers.status_pipe = status_write_.get();
    ground_.workers.environment = worker_environment(config_);
    return {};
}

std::expected<void, std::string> Master::open()
{
    if (::geteuid() == 0) {
        const std::string& name = config_.get(config::params::mail_owner);
        owner_ = service::find_account(name);
        if (!owner_)
            return std::unexpected("file " + config_.directory() +
                                   "/main.cf: parameter mail_owner: unknown user name value: " + name);
    }
    if (auto locked = lock(); !locked)
        return locked;
    if (const auto open_relay = config::find_open_relay(config_))
        return std::unexpected(open_relay->message());
    auto plan = make_plan(config_);
    if (!plan)
        return std::unexpected(plan.error());
    std::vector<OpenSocket> sockets;
    if (auto opened = open_new_sockets(*plan, sockets); !opened)
        return opened;
    if (auto opened = open_pipes(); !opened)
        return opened;
    log::info("daemon started -- version {}, configuration {}", config_.get(config::params::mail_version),
              config_.directory());
    log_missing(*plan);
    replace_services(std::move(*plan), std::move(sockets));
    return {};
}

void Master::log_missing(const Plan& plan) const
{
    for (const std::string& line : plan.missing)
        log::warning("{}", line);
    for (const ServicePlan& service : plan.services)
        if (service.entry.type == config::SocketType::fifo)
            log::info("service {}: a socket serves in the place of a fifo", service.entry.service_key());
}

void Master::run()
{
    status_watch_ = std::make_unique<event::Watch>(loop_, status_read_.get());
    event::spawn(read_reports());
    loop_.on_signal(SIGCHLD, [this] { reap(); });
    loop_.on_signal(SIGHUP, [this] { reload(); });
    for (const int number : {SIGTERM, SIGINT, SIGQUIT})
        loop_.on_signal(number, [this, number] { terminate(number); });
    if (options_.exit_after_seconds)
        exit_timer_ = loop_.call_at(event::Clock::now() + std::chrono::seconds(*options_.exit_after_seconds),
                                    [this] { loop_.stop(); });
    // One that ended before its signal was listened for.
    reap();
    loop_.run();
}

std::expected<void, std::string> Master::open_new_sockets(const Plan& plan, std::vector<OpenSocket>& fresh) const
{
    const auto open_already = [this, &fresh](const std::string& name) {
        if (find_socket(fresh, name))
            return true;
        return std::ranges::any_of(services_, [&](const auto& service) { return service->listens_on(name); });
    };
    for (const ServicePlan& service : plan.services) {
        for (const Endpoint& endpoint : service.endpoints) {
            if (open_already(endpoint.name))
                continue;
            auto fd = open_endpoint(endpoint, owner_);
            if (!fd)
                return std::unexpected(std::move(fd.error()));
            fresh.push_back({endpoint.name, std::move(*fd)});
        }
    }
    return {};
}

// Cannot fail: everything that can was tried before.
void Master::replace_services(Plan plan, std::vector<OpenSocket> sockets)
{
    for (const auto& service : services_)
        for (OpenSocket& socket : service->take_sockets())
            sockets.push_back(std::move(socket));
    auto old = std::exchange(services_, {});
    std::vector<std::pair<Service*, bool>> started;
    // The logger first: it hears what the others have to say.
    std::ranges::stable_partition(plan.services,
                                  [](const ServicePlan& each) { return each.entry.program == "postlogd"; });
    for (ServicePlan& wanted : plan.services) {
        std::vector<OpenSocket> mine;
        for (const Endpoint& endpoint : wanted.endpoints) {
            const auto found = std::ranges::find(sockets, endpoint.name, &OpenSocket::name);
            mine.push_back(std::move(*found));
            sockets.erase(found);
        }
        const std::string key = wanted.entry.service_key();
        const auto same = std::ranges::find_if(
            old, [&](const auto& each) { return each && each->plan().entry.service_key() == key; });
        if (same != old.end()) {
            services_.push_back(std::move(*same));
            services_.back()->renew(std::move(wanted), std::move(mine));
        } else {
            services_.push_back(std::make_unique<Service>(ground_, std::move(wanted), std::move(mine)));
            services_.back()->start();
        }
    }
    for (auto& gone : old) {
        if (!gone)
            continue;
        gone->close();
        gone->signal_workers(SIGTERM);
        if (gone->has_workers())
            leaving_.push_back(std::move(gone));
    }
}

std::vector<config::MasterEntry> Master::running_entries() const
{
    std::vector<config::MasterEntry> entries;
    for (const auto& service : services_)
        entries.push_back(service->plan().entry);
    return entries;
}

std::expected<std::vector<std::string>, std::string> Master::reload_or_explain()
{
    auto config = config::Config::load(config_.directory());
    if (!config)
        return std::unexpected(config.error().message());
    if (config->get(config::params::queue_directory) != config_.get(config::params::queue_directory))
        return std::unexpected("to change queue_directory, stop and start the mail system");
    if (const auto open_relay = config::find_open_relay(*config))
        return std::unexpected(open_relay->message());
    if (const auto wrong = config::check_log_file(*config))
        return std::unexpected(wrong->message());
    auto plan = make_plan(*config);
    if (!plan)
        return std::unexpected(plan.error());
    if (auto unusable = find_unusable_service(*plan, *config))
        return std::unexpected(std::move(*unusable));
    std::vector<OpenSocket> fresh;
    if (auto opened = open_new_sockets(*plan, fresh); !opened)
        return std::unexpected(opened.error());
    auto accepted = config_file(*config);
    if (!accepted)
        return std::unexpected(accepted.error());
    const auto before = running_entries();
    const config::Config old = std::exchange(config_, std::move(*config));
    set_master_log(config_);
    log::info("reload -- version {}, configuration {}", config_.get(config::params::mail_version), config_.directory());
    log_missing(*plan);
    config_file_ = std::move(*accepted);
    ground_.workers.config = config_file_.get();
    ground_.workers.environment = worker_environment(config_);
    ++ground_.workers.generation;
    replace_services(std::move(*plan), std::move(fresh));
    return config::describe_changes(old, before, config_, running_entries());
}

void Master::reload()
{
    if (terminating_)
        return;
    service::ReloadReport report;
    if (auto done = reload_or_explain()) {
        report = {service::ReloadOutcome::accepted, std::move(*done)};
        for (const std::string& line : report.lines)
            log::info("reload: {}", line);
    } else {
        report = {service::ReloadOutcome::refused, {done.error()}};
        log::error("{} -- reload ignored, the previous configuration stays in use", done.error());
    }
    if (const auto written = service::write_reload_report(report); !written)
        log::warning("{}", written.error().message());
}

event::Task<void> Master::read_reports()
{
    for (;;) {
        const event::Ready how = co_await status_watch_->readable();
        if (how != event::Ready::ready)
            co_return;
        service::StatusReport reports[256];
        const ssize_t got = ::read(status_read_.get(), reports, sizeof reports);
        if (got <= 0) {
            status_watch_->drained();
            continue;
        }
        // Reports are written whole, and the pipe keeps them whole.
        for (std::size_t i = 0; i < static_cast<std::size_t>(got) / sizeof *reports; ++i)
            for (const auto& service : services_)
                service->worker_reported(reports[i]);
    }
}

void Master::reap()
{
    for (;;) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            break;
        const auto took = [&](const auto& service) { return service->worker_ended(pid, status); };
        // Others are orphans that an init process adopts.
        if (!std::ranges::any_of(services_, took) && !std::ranges::any_of(leaving_, took))
            log::debug("unknown process {} ended", pid);
    }
    std::erase_if(leaving_, [](const auto& service) { return !service->has_workers(); });
    if (terminating_)
        end_when_alone();
}

void Master::terminate(int signal)
{
    if (std::exchange(terminating_, true))
        return;
    log::info("terminating on signal {}", signal);
    for (auto& service : services_) {
        service->close();
        service->signal_workers(SIGTERM);
    }
    for (auto& service : leaving_)
        service->signal_workers(SIGTERM);
    kill_timer_ = loop_.call_at(event::Clock::now() + kTermination, [this] {
        for (const auto& service : services_)
            service->signal_workers(SIGKILL);
        for (const auto& service : leaving_)
            service->signal_workers(SIGKILL);
        loop_.stop();
    });
    end_when_alone();
}

void Master::end_when_alone()
{
    const auto has_workers = [](const auto& service) { return service->has_workers(); };
    if (!std::ranges::any_of(services_, has_workers) && !std::ranges::any_of(leaving_, has_workers))
        loop_.stop();
}

} // namespace facteur::master
