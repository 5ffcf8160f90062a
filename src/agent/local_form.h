// A message as mailboxes hold it: LF line ends, and in mbox files a '>' before lines that begin with "From ".
// Source: local(8), virtual(8); mbox(5).
#pragma once

#include <string>
#include <string_view>

namespace facteur::agent {

enum class FromLines { keep, quote };

// Converts CRLF content piece by piece. Pieces may end anywhere.
class LocalForm {
public:
    explicit LocalForm(FromLines from_lines) : quote_(from_lines == FromLines::quote) {}
    void feed(std::string_view piece, std::string& out);
    void finish(std::string& out);

private:
    bool quote_;
    bool line_start_ = true;
    std::string held_; // too little to decide on
};

// "From sender  Sun Nov 22 06:07:24 2026"
std::string from_line(std::string_view sender, std::int64_t now);

// Return-Path:, X-Original-To: and Delivered-To:, LF lines. Addresses in internal form; original may be empty.
std::string delivery_headers(std::string_view sender, std::string_view original, std::string_view recipient);

} // namespace facteur::agent
