#include "daemons/smtp/body_encoder.h"

namespace facteur::smtp_client {

BodyEncoder::BodyEncoder(std::size_t line_limit, Convert convert) : line_limit_(line_limit)
{
    if (convert == Convert::to_seven_bit)
        downgrade_.emplace();
}

void BodyEncoder::push(std::string_view content, std::string& out)
{
    if (!downgrade_) {
        put_lines(content, out);
        return;
    }
    converted_.clear();
    downgrade_->push(content, converted_);
    put_lines(converted_, out);
}

void BodyEncoder::finish(std::string& out)
{
    if (downgrade_) {
        converted_.clear();
        downgrade_->finish(converted_);
        put_lines(converted_, out);
    }
    if (pending_cr_)
        put_text("\r", out);
    if (column_ > 0)
        end_line(out);
    out += ".\r\n";
}

void BodyEncoder::put_lines(std::string_view content, std::string& out)
{
    while (!content.empty()) {
        if (std::exchange(pending_cr_, false) && content.front() != '\n')
            put_text("\r", out);
        const auto newline = content.find('\n');
        std::string_view line = content.substr(0, newline);
        content.remove_prefix(newline == content.npos ? content.size() : newline + 1);
        // A CR at the end may belong to a line end that the next chunk completes.
        const bool cr = line.ends_with('\r');
        if (cr)
            line.remove_suffix(1);
        put_text(line, out);
        if (newline != std::string_view::npos)
            end_line(out);
        else
            pending_cr_ = cr;
    }
}

void BodyEncoder::put_text(std::string_view text, std::string& out)
{
    if (text.empty())
        return;
    if (column_ == 0 && text.front() == '.')
        out += '.';
    while (line_limit_ > 1 && column_ + text.size() > line_limit_) {
        const std::size_t fits = line_limit_ - column_;
        out += text.substr(0, fits);
        out += "\r\n ";
        text.remove_prefix(fits);
        column_ = 1;
        broke_lines_ = true;
    }
    out += text;
    column_ += text.size();
}

void BodyEncoder::end_line(std::string& out)
{
    out += "\r\n";
    column_ = 0;
}

} // namespace facteur::smtp_client
