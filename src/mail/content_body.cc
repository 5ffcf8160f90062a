#include "mail/content_body.h"

#include <algorithm>
#include <utility>

namespace facteur::mail {
namespace {

constexpr std::size_t kCheckedPiece = 2048;     // line_length_limit: body checks see longer lines in pieces
constexpr std::size_t kLongestHeldLine = 65536; // beyond this a line is stored in pieces

} // namespace

ContentBody::ContentBody(const ContentOptions& options, const ContentHooks& hooks, ContentOutput& output)
    : options_(options), hooks_(hooks), output_(output), walker_({.nesting = options.mime_nesting_limit,
                                                                  .boundary_length = options.mime_boundary_length_limit,
                                                                  .header_size = options.header_size_limit}),
      walk_mime_(options.parse_mime && (options.strict_mime || hooks.header_check || hooks.body_check)),
      by_line_(walk_mime_ || hooks.body_check || !options.strip_characters.empty() ||
               !options.reject_characters.empty())
{
}

void ContentBody::see_header(std::string_view header)
{
    if (!walk_mime_)
        return;
    for (auto end = header.find('\n'); end != header.npos; end = header.find('\n')) {
        walker_.next(header.substr(0, end));
        header.remove_prefix(end + 1);
    }
    walker_.next(header);
}

void ContentBody::begin()
{
    if (walk_mime_)
        walker_.next({});
}

void ContentBody::take_first_line(std::string_view line)
{
    output_.facts().body_8bit |= has_8bit(line);
    if (by_line_)
        take_line(line);
    else
        output_.put_line(line);
}

void ContentBody::push(std::string_view bytes)
{
    output_.facts().body_8bit |= has_8bit(bytes);
    if (by_line_)
        push_lines(bytes);
    else
        push_bulk(bytes);
}

void ContentBody::finish()
{
    if (!line_.empty() || long_line_ != LongLine::none) {
        clean_line(line_, options_, output_.facts());
        take_line(line_);
        line_.clear();
    }
    if (held_crs_ > 0 || !output_.at_line_start())
        put_rough({}, AtLineEnd::yes);
    close_part_header();
    if (walk_mime_)
        walker_.finish();
    output_.facts().mime_errors = options_.strict_mime ? walker_.errors() : 0;
}

// --- line by line

void ContentBody::push_lines(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        line_ += bytes.substr(0, end);
        if (end == bytes.npos) {
            if (line_.size() > kLongestHeldLine)
                take_long_piece();
            return;
        }
        clean_line(line_, options_, output_.facts());
        take_line(line_);
        line_.clear();
        bytes.remove_prefix(end + 1);
    }
}

void ContentBody::take_long_piece()
{
    const auto crs = line_.size() - (line_.find_last_not_of('\r') + 1); // they may belong to the line's end
    line_.resize(line_.size() - crs);
    clean_line(line_, options_, output_.facts());
    if (long_line_ == LongLine::none)
        long_line_ = admit(line_) ? LongLine::stored : LongLine::discarded;
    if (long_line_ == LongLine::stored)
        output_.put_text(line_);
    line_.assign(crs, '\r');
}

void ContentBody::take_line(std::string_view line)
{
    const LongLine begun = std::exchange(long_line_, LongLine::none);
    if (begun == LongLine::stored || (begun == LongLine::none && admit(line)))
        output_.put_line(line);
}

// False when the line is dropped, or held back as part of a header.
bool ContentBody::admit(std::string_view line)
{
    if (!walk_mime_)
        return check(line);
    using Kind = MimeWalker::Kind;
    const MimeWalker::Line what = walker_.next(line);
    if (what.kind == Kind::header_more) {
        if (part_header_.empty())
            return true;
        part_header_.append("\n").append(line);
        return false;
    }
    close_part_header();
    if (what.kind == Kind::header && hooks_.header_check) {
        part_header_ = line;
        part_class_ = what.block == MimeWalker::Block::nested ? HeaderClass::nested : HeaderClass::mime;
        return false;
    }
    if (what.kind == Kind::headers_end || what.kind == Kind::boundary)
        checked_ = 0;
    return what.kind != Kind::body || check(line);
}

void ContentBody::close_part_header()
{
    if (part_header_.empty())
        return;
    const CheckVerdict verdict = hooks_.header_check(part_class_, part_header_);
    if (verdict.action == CheckVerdict::Action::prepend || verdict.action == CheckVerdict::Action::replace)
        put_part_header(verdict.text);
    if (verdict.action == CheckVerdict::Action::prepend || verdict.action == CheckVerdict::Action::keep)
        put_part_header(part_header_);
    part_header_.clear();
}

void ContentBody::put_part_header(std::string_view header)
{
    for (auto end = header.find('\n'); end != header.npos; end = header.find('\n')) {
        output_.put_line(header.substr(0, end));
        header.remove_prefix(end + 1);
    }
    output_.put_line(header);
}

// True when the line is to be stored as it is; what replaces it has been stored otherwise.
bool ContentBody::check(std::string_view line)
{
    if (!hooks_.body_check || checked_ >= options_.body_check_size)
        return true;
    std::string stored;
    bool changed = false;
    std::size_t at = 0;
    do {
        const std::string_view piece = line.substr(at, kCheckedPiece);
        at += kCheckedPiece;
        checked_ += piece.size() + 1;
        const CheckVerdict verdict = hooks_.body_check(piece);
        if (verdict.action == CheckVerdict::Action::prepend)
            output_.put_line(verdict.text);
        const bool replaced = verdict.action == CheckVerdict::Action::replace;
        const bool dropped = verdict.action == CheckVerdict::Action::drop;
        if (dropped && line.size() <= kCheckedPiece)
            return false;
        changed |= replaced || dropped;
        if (!dropped)
            stored += replaced ? std::string_view{verdict.text} : piece;
    } while (at < line.size());
    if (changed)
        output_.put_line(stored);
    return !changed;
}

// --- in bulk

// Runs of lines that end in one CRLF and hold no other CR are stored as they came.
void ContentBody::push_bulk(std::string_view bytes)
{
    if (!output_.at_line_start() || held_crs_ > 0) {
        const auto end = bytes.find('\n');
        put_rough(bytes.substr(0, end), end == bytes.npos ? AtLineEnd::no : AtLineEnd::yes);
        bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
    }
    std::size_t run = 0; // where the lines not yet stored begin
    std::size_t at = 0;
    while (at < bytes.size()) {
        const auto end = bytes.find('\n', at);
        const std::string_view line = bytes.substr(at, end == bytes.npos ? end : end - at);
        const auto cr = line.find('\r');
        if (end != bytes.npos && cr != line.npos && cr + 1 == line.size() && options_.input == InputLines::crlf) {
            output_.facts().leading_dot |= line[0] == '.';
            output_.count_line(cr);
        } else {
            output_.put_lines(bytes.substr(run, at - run));
            put_rough(line, end == bytes.npos ? AtLineEnd::no : AtLineEnd::yes);
            run = end == bytes.npos ? bytes.size() : end + 1;
        }
        at = end == bytes.npos ? bytes.size() : end + 1;
    }
    output_.put_lines(bytes.substr(run));
}

// A line, or a part of one, of any form.
void ContentBody::put_rough(std::string_view text, AtLineEnd at_end)
{
    const std::size_t length = text.find_last_not_of('\r') + 1;
    if (length > 0) {
        put_held_crs(AtLineEnd::no);
        const std::string_view line = text.substr(0, length);
        if (line.find('\r') == line.npos) {
            output_.put_text(line);
        } else {
            std::string cleaned{line};
            clean_line(cleaned, options_, output_.facts());
            output_.put_text(cleaned);
        }
    }
    held_crs_ += text.size() - length;
    if (at_end == AtLineEnd::yes) {
        put_held_crs(AtLineEnd::yes);
        output_.end_line();
    }
}

void ContentBody::put_held_crs(AtLineEnd at_end)
{
    if (held_crs_ > 0 && (at_end == AtLineEnd::no || options_.input == InputLines::lf)) {
        output_.facts().stray_cr = true;
        output_.put_text(std::string(held_crs_, options_.replace_stray_cr_lf ? ' ' : '\r'));
    }
    held_crs_ = 0;
}

} // namespace facteur::mail
