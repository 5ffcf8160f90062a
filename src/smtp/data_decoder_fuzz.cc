#include "smtp/data_decoder.h"

#include <cstdlib>

// The first byte chooses mode and piece size; any split must decode alike, and content must consist of CRLF lines.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using facteur::smtp::DataDecoder;
    if (size == 0)
        return 0;
    const auto mode = (data[0] & 1) != 0 ? DataDecoder::Mode::data : DataDecoder::Mode::chunk;
    const auto end = (data[0] & 2) != 0 ? DataDecoder::EndOfData::standard : DataDecoder::EndOfData::any_line_end;
    const std::size_t piece = (data[0] >> 2) + 1;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);

    DataDecoder whole(mode, end);
    std::string expected;
    const std::size_t used = whole.decode(input, expected);
    DataDecoder pieces(mode, end);
    std::string got;
    std::size_t at = 0;
    while (at < input.size() && !pieces.ended())
        at += pieces.decode(input.substr(at, piece), got);
    if (got != expected || at != used || pieces.ended() != whole.ended())
        std::abort();
    for (std::size_t i = 0; i < got.size(); ++i)
        if (got[i] == '\n' && (i == 0 || got[i - 1] != '\r'))
            std::abort();
    return 0;
}
