#include "smtp/attributes.h"
#include "smtp/command.h"
#include "smtp/parameters.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace facteur::smtp;
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    const auto words = split_command(line);
    (void)join_words(words, 1);
    (void)parse_bdat(words);
    (void)parse_mail_parameters(words, {});
    (void)parse_rcpt_parameters(words, {});
    for (const Word& word : words) {
        (void)looks_like_header(word.text);
        (void)parse_attribute(word.text);
    }
    return 0;
}
