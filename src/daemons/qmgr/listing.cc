#include "daemons/qmgr/listing.h"

#include "ipc/list_page.h"

#include <algorithm>

namespace facteur::qmgr {

namespace {

// A page ends with the message that reaches one of these.
constexpr std::size_t kMessages = 5000;
constexpr std::size_t kBytes = 1 << 20;
constexpr std::size_t kLookedAt = 20'000; // of other queues than those asked for

class Page {
public:
    explicit Page(std::uint64_t number) : number_(number) {}

    void add(const Message& message, bool with_recipients)
    {
        ipc::ListedMessage listed{.id = message.id,
                                  .queue = queue_name(message.place),
                                  .arrival_seconds = message.arrival_seconds,
                                  .size = message.size,
                                  .sender = text(message.sender),
                                  .forced_expire = message.expire_now};
        if (message.place == Place::deferred)
            listed.next_try_seconds = message.next_try_seconds;
        if (with_recipients)
            message.each_pending([this](std::string_view address, const SharedText& reason) {
                writer_.recipient({address, text(reason)});
            });
        writer_.message(listed);
    }
    [[nodiscard]] bool full() const { return writer_.messages() >= kMessages || writer_.bytes().size() >= kBytes; }
    [[nodiscard]] const std::string& bytes() const { return writer_.bytes(); }

private:
    std::uint32_t text(const SharedText& text)
    {
        SharedText::Mark* const mark = text.mark();
        if (!mark)
            return ipc::kEmptyText;
        if (mark->page != number_)
            *mark = {number_, writer_.text(text.view())};
        return mark->number;
    }

    std::uint64_t number_;
    ipc::ListPageWriter writer_;
};

} // namespace

std::string Listing::page(const MessageIndex& index, const ipc::ListRequest& wanted, ipc::ListReply& reply)
{
    const auto asked_for = [&wanted](Place place) {
        return wanted.queues().empty() ||
               std::ranges::find(wanted.queues(), queue_name(place)) != wanted.queues().end();
    };
    Page page(++pages_);
    std::size_t looked_at = 0;
    const Message* last = nullptr;
    index.walk(wanted.after(), [&](const MessagePtr& message) {
        if (page.full() || looked_at == kLookedAt) {
            reply.set_more(true);
            return false;
        }
        ++looked_at;
        last = message.get();
        if (asked_for(message->place))
            page.add(*message, wanted.with_recipients());
        return true;
    });
    if (last)
        reply.set_last(last->id);
    return page.bytes();
}

} // namespace facteur::qmgr
