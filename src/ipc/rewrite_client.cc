#include "ipc/rewrite_client.h"

#include "ipc/flags.h"

#include <optional>

namespace facteur::ipc {

namespace {

constexpr std::size_t kCacheCapacity = 1024;
constexpr event::milliseconds kCacheLifetime{5000};

// Zero bytes separate: none of the parts holds one that matters, and a clash would only be a wrong question's answer
// if an address held a zero byte, so such addresses are not cached.
std::string cache_key(char kind, std::string_view first, std::string_view second)
{
    if (first.find('\0') != first.npos || second.find('\0') != second.npos)
        return {};
    std::string key;
    key.reserve(first.size() + second.size() + 2);
    key += kind;
    key += first;
    key += '\0';
    key += second;
    return key;
}

} // namespace

const std::string* AnswerCache::get(std::string_view key, event::Clock::time_point now)
{
    const auto found = by_key_.find(key);
    if (found == by_key_.end() || found->second->expires <= now)
        return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->value;
}

void AnswerCache::put(std::string key, std::string value, event::Clock::time_point now)
{
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
        found->second->value = std::move(value);
        found->second->expires = now + lifetime_;
        entries_.splice(entries_.begin(), entries_, found->second);
        return;
    }
    if (entries_.size() >= capacity_) {
        by_key_.erase(entries_.back().key);
        entries_.pop_back();
    }
    entries_.push_front({std::move(key), std::move(value), now + lifetime_});
    by_key_.emplace(entries_.front().key, entries_.begin());
}

RewriteClient::RewriteClient(event::Loop& loop, std::string socket_path)
    : loop_(loop), client_(loop, std::move(socket_path)), cache_(kCacheCapacity, kCacheLifetime)
{
}

event::Task<std::expected<std::string, IpcError>> RewriteClient::rewrite(std::string context, std::string address)
{
    std::string key = cache_key('w', context, address);
    if (!key.empty())
        if (const std::string* known = cache_.get(key, loop_.now()))
            co_return *known;

    RewriteRequest request;
    request.set_context(std::move(context));
    request.set_address(std::move(address));
    RewriteReply reply;
    const auto answered = co_await client_.call(Method::rewrite, request, reply);
    if (!answered)
        co_return std::unexpected(answered.error());
    if (!key.empty())
        cache_.put(std::move(key), reply.address(), loop_.now());
    co_return std::move(*reply.mutable_address());
}

// One that is under way, for those who ask the same.
struct RewriteClient::Question {
    explicit Question(event::Loop& loop) : answered(loop) {}
    event::Condition answered;
    std::optional<std::expected<ResolveReply, IpcError>> answer;
};

event::Task<std::expected<ResolveReply, IpcError>> RewriteClient::resolve(std::string sender, std::string address,
                                                                          Purpose purpose)
{
    ResolveReply reply;
    std::string key = cache_key(purpose == Purpose::verify ? 'v' : 'r', sender, address);
    if (!key.empty())
        if (const std::string* known = cache_.get(key, loop_.now()); known && reply.ParseFromString(*known))
            co_return std::move(reply);
    const auto question = std::make_shared<Question>(loop_);
    if (!key.empty())
        if (const auto [same, is_new] = open_.try_emplace(key, question); !is_new) {
            const std::shared_ptr<Question> asked = same->second;
            while (!asked->answer)
                co_await asked->answered.wait();
            auto answer = *asked->answer;
            co_return std::move(answer);
        }

    ResolveRequest request;
    request.set_sender(std::move(sender));
    request.set_address(std::move(address));
    request.set_verify(purpose == Purpose::verify);
    reply.Clear();
    const auto answered = co_await client_.call(Method::resolve, request, reply);
    std::expected<ResolveReply, IpcError> answer;
    if (answered)
        answer = std::move(reply);
    else
        answer = std::unexpected(answered.error());
    if (question->answered.anyone_waits()) {
        question->answer = answer;
        question->answered.notify_all();
    }
    if (!key.empty())
        open_.erase(key);
    if (!key.empty() && answer && (answer->flags() & resolve_flag::failed) == 0)
        cache_.put(std::move(key), answer->SerializeAsString(), loop_.now());
    co_return std::move(answer);
}

} // namespace facteur::ipc
