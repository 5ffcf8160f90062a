// 8bit MIME parts to quoted-printable. Source: RFC 2045 s6.7, RFC 6152.
#include "mail/mime.h"

namespace facteur::mail {
namespace {

constexpr std::size_t kSoftBreakAfter = 72; // a code of three and the '=' still fit in 76

bool needs_code(std::string_view line, std::size_t at)
{
    const auto c = static_cast<unsigned char>(line[at]);
    if (c == ' ' || c == '\t')
        return at + 1 == line.size();
    return c <= 32 || c >= 127 || c == '=';
}

} // namespace

void append_quoted_printable(std::string& out, std::string_view line)
{
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::size_t column = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (column > kSoftBreakAfter) {
            out += "=\r\n";
            column = 0;
        }
        if (needs_code(line, i)) {
            const auto c = static_cast<unsigned char>(line[i]);
            out += '=';
            out += kHex[c >> 4];
            out += kHex[c & 15];
            column += 3;
        } else {
            out += line[i];
            ++column;
        }
    }
}

void EightBitDowngrade::push(std::string_view content, std::string& out)
{
    while (!content.empty()) {
        const auto end = content.find('\n');
        if (end == content.npos) {
            partial_ += content;
            return;
        }
        std::string_view line = content.substr(0, end);
        if (!partial_.empty()) {
            partial_ += line;
            line = partial_;
        }
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        take_line(line, out);
        partial_.clear();
        content.remove_prefix(end + 1);
    }
}

void EightBitDowngrade::finish(std::string& out)
{
    if (!partial_.empty()) {
        take_line(partial_, out);
        partial_.clear();
    }
    release_encoding_header(out);
    if (walker_.finish())
        announce_encoding(out);
}

// The header is dropped when the end of its block will announce another encoding instead.
void EightBitDowngrade::release_encoding_header(std::string& out)
{
    if (held_.empty())
        return;
    const auto encoding = parse_transfer_encoding(std::string_view{held_}.substr(held_.find(':') + 1));
    if (!encoding || encoding->domain == MimeDomain::seven_bit)
        out += held_;
    held_.clear();
}

void EightBitDowngrade::announce_encoding(std::string& out)
{
    const MimeWalker::Head& head = walker_.head();
    if (head.encoding.domain == MimeDomain::seven_bit)
        return;
    out += "Content-Transfer-Encoding: ";
    out += head.type.is_multipart() || head.type.is_message() ? "7bit\r\n" : "quoted-printable\r\n";
}

void EightBitDowngrade::take_line(std::string_view line, std::string& out)
{
    const MimeWalker::Line what = walker_.next(line);
    if (what.kind != MimeWalker::Kind::header_more)
        release_encoding_header(out);
    // A part's body is judged by the headers that ended before this line, not by what a boundary begins.
    if (what.ended_headers)
        announce_encoding(out);
    const bool header = what.kind == MimeWalker::Kind::header;
    if ((header && header_kind(line.substr(0, header_name_length(line))).id == HeaderId::content_transfer_encoding) ||
        (what.kind == MimeWalker::Kind::header_more && !held_.empty())) {
        held_.append(line).append("\r\n");
        return;
    }
    if (what.kind == MimeWalker::Kind::body && walker_.in_leaf() &&
        walker_.head().encoding.domain != MimeDomain::seven_bit)
        append_quoted_printable(out, line);
    else
        out += line;
    out += "\r\n";
}

std::string downgrade_8bit(std::string_view content)
{
    std::string out;
    out.reserve(content.size() + content.size() / 8);
    EightBitDowngrade downgrade;
    downgrade.push(content, out);
    downgrade.finish(out);
    return out;
}

} // namespace facteur::mail
