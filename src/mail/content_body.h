// The body of a message on its way into the queue. Bulk copying where nothing must see the lines, else line by line.
#pragma once

#include "mail/content_output.h"
#include "mail/mime.h"

namespace facteur::mail {

class ContentBody {
public:
    ContentBody(const ContentOptions& options, const ContentHooks& hooks, ContentOutput& output);

    // A primary header, lines joined by LF: the MIME structure begins there.
    void see_header(std::string_view header);
    void begin();
    // A first line that the header parser has cleaned already.
    void take_first_line(std::string_view line);
    void push(std::string_view bytes);
    void finish();

private:
    enum class AtLineEnd : bool { no, yes };
    enum class LongLine : std::uint8_t { none, stored, discarded }; // what became of the beginning of this line

    void push_lines(std::string_view bytes);
    void take_line(std::string_view line);
    void take_long_piece();
    bool admit(std::string_view line);
    bool check(std::string_view line);
    void close_part_header();
    void put_part_header(std::string_view header);

    void push_bulk(std::string_view bytes);
    void put_rough(std::string_view text, AtLineEnd at_end);
    void put_held_crs(AtLineEnd at_end);

    const ContentOptions& options_;
    const ContentHooks& hooks_;
    ContentOutput& output_;
    MimeWalker walker_;
    bool walk_mime_ = false;
    bool by_line_ = false;
    LongLine long_line_ = LongLine::none;
    std::string line_;        // gathered up to its LF
    std::string part_header_; // logical header of a MIME part, lines joined by LF
    HeaderClass part_class_ = HeaderClass::mime;
    std::size_t checked_ = 0;  // bytes of this part that body checks have seen
    std::size_t held_crs_ = 0; // CRs that may belong to a line end
};

} // namespace facteur::mail
