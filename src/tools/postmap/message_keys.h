// A mail message cut into the lookup keys that header_checks and body_checks would see (postmap -h, -b, -m).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::postmap {

struct MessageKeys {
    bool headers = false; // whole headers, folded lines joined with a newline
    bool body = false;    // lines of the body, the empty line before it included
    bool mime = false;    // headers of attachments and attached messages count as headers
};

// Takes a message line by line.
class MessageCutter {
public:
    using Take = std::function<void(std::string_view key)>;
    MessageCutter(const MessageKeys& wanted, Take take) : wanted_(wanted), take_(std::move(take)) {}

    void line(std::string_view line);
    void finish();

private:
    enum class Part { headers, body };
    enum class Follows { body, headers }; // behind the empty line that ends the headers

    void header_line(std::string_view line);
    void end_header();
    void end_headers();
    void body_line(std::string_view line);
    void note_content_type(std::string_view value);
    bool take_boundary(std::string_view line);

    MessageKeys wanted_;
    Take take_;
    Part part_ = Part::headers;
    Follows follows_ = Follows::body;
    std::string header_;
    struct Multipart {
        std::string boundary;
        bool digest;
    };
    std::vector<Multipart> open_; // outermost first
};

} // namespace facteur::postmap
