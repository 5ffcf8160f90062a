// Commands read pages from whoever listens at showq's socket.
#include "ipc/list_page.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace facteur::ipc;
    ListPage page({reinterpret_cast<const char*>(data), size});
    ListPageWriter again;
    while (page.next()) {
        ListedMessage message = page.message();
        for (ListedRecipient recipient; page.next_recipient(recipient);)
            again.recipient({recipient.address, again.text(page.text(recipient.reason))});
        if (page.bad())
            break; // a message without all its recipients
        message.sender = again.text(page.text(message.sender));
        again.message(message);
    }
    ListPage copy(again.bytes());
    std::size_t messages = 0;
    while (copy.next())
        ++messages;
    if (copy.bad() || messages != again.messages())
        __builtin_trap();
    return 0;
}
