// Queue files come back from a disk that anyone with the mail owner's rights may have written.
#include "queue/queue_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto header = facteur::queue::QueueFileHeader::parse(bytes))
        (void)header->file_size();
    facteur::queue::Envelope envelope;
    (void)envelope.ParseFromArray(data, static_cast<int>(size));
    return 0;
}
