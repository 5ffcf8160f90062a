#include "tools/sendmail/options.h"

#include "base/text.h"
#include "ipc/flags.h"

#include <fmt/format.h>
#include <unistd.h>

namespace facteur::sendmail {

namespace {

constexpr const char* kLetters = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx";
constexpr std::size_t kEnvelopeIdLimit = 100; // RFC 3461 s4.4

using Outcome = std::expected<void, std::string>;

// One letter at a time; each function takes the letters of one concern and says whether it knew this one.
class Parser {
public:
    explicit Parser(Options& options) : options_(options) {}

    Outcome take(char letter, std::string_view value)
    {
        switch (letter) {
        case 'b':
            return mode(value);
        case 'o':
            return classic(value);
        case 'q':
            return queue_run(value);
        case 'X':
            return extension(value);
        case 'B':
            return body(value);
        case 'N':
            notify(value);
            return {};
        case 'R':
            returns(value);
            return {};
        case 'V':
            envelope_id(value);
            return {};
        case 'C':
            options_.directory = value;
            return {};
        case 'F':
            options_.full_name = value;
            return {};
        case 'G':
            options_.gateway = true;
            return {};
        case 'I':
            options_.mode = Mode::newaliases;
            return {};
        case 'f':
        case 'r':
            options_.sender = value;
            return {};
        case 'i':
            options_.dot_ends = false;
            return {};
        case 't':
            options_.extract_recipients = true;
            return {};
        case 'v':
            ++options_.verbosity;
            return {};
        case 'n':
            return std::unexpected("-n option not supported");
        case '?':
            return std::unexpected("usage: sendmail [options]");
        default:
            return {}; // A, L, O, U, c, e, h, m, p, x: of no meaning here, and harmless
        }
    }

private:
    Outcome mode(std::string_view value)
    {
        switch (value.empty() ? '\0' : value.front()) {
        case 'd':
        case 'l':
            options_.mode = Mode::daemon;
            return {};
        case 'h':
        case 'H':
            return {};
        case 'i':
            options_.mode = Mode::newaliases;
            return {};
        case 'm':
            options_.mode = Mode::enqueue;
            return {};
        case 'p':
            options_.mode = Mode::mailq;
            return {};
        case 's':
            options_.mode = Mode::stand_alone;
            return {};
        case 'v':
            options_.mode = Mode::verify;
            return {};
        default:
            return std::unexpected(fmt::format("unsupported: -b{}", value.substr(0, 1)));
        }
    }

    Outcome classic(std::string_view value)
    {
        if (value == "i")
            options_.dot_ends = false;
        if (!value.starts_with('A'))
            return {};
        if (value.size() == 1)
            return std::unexpected("-oA requires pathname");
        options_.alias_database = value.substr(1);
        return {};
    }

    Outcome queue_run(std::string_view value)
    {
        if (value.empty()) {
            options_.mode = Mode::flush;
            return {};
        }
        const std::string_view rest = value.substr(1);
        if (text::is_digit(value.front()))
            return {}; // an interval: queue_run_delay says it
        if (value.front() == 'R') {
            if (rest.empty())
                return std::unexpected("specify: -qRsitename");
            options_.mode = Mode::flush;
            options_.site = rest;
            return {};
        }
        if (value.front() == 'I') {
            if (rest.empty())
                return std::unexpected("specify: -qIqueueid");
            options_.mode = Mode::flush;
            options_.queue_id = rest;
            return {};
        }
        return std::unexpected(fmt::format("-q{} is not implemented", value.front()));
    }

    Outcome extension(std::string_view value)
    {
        if (value.starts_with('V'))
            options_.verp = value.substr(1);
        return {}; // other values name a log file
    }

    Outcome body(std::string_view value)
    {
        if (text::iequals(value, "8BITMIME"))
            options_.encoding = "8bit";
        else if (text::iequals(value, "7BIT"))
            options_.encoding = "7bit";
        else
            return std::unexpected("-B option needs 8BITMIME or 7BIT");
        return {};
    }

    void notify(std::string_view value)
    {
        const auto mask = parse_notify(value);
        if (mask) {
            options_.dsn_notify = *mask;
            return;
        }
        options_.warnings.push_back(mask.error());
        options_.warnings.emplace_back("bad -N option value -- ignored");
    }

    void returns(std::string_view value)
    {
        if (text::iequals(value, "full"))
            options_.dsn_ret = ipc::ret::full;
        else if (text::iequals(value, "hdrs"))
            options_.dsn_ret = ipc::ret::headers;
        else
            options_.warnings.emplace_back("bad -R option value -- ignored");
    }

    void envelope_id(std::string_view value)
    {
        if (value.size() > kEnvelopeIdLimit)
            options_.warnings.emplace_back("too long -V option value -- ignored");
        else if (!std::ranges::all_of(value, text::is_printable))
            options_.warnings.emplace_back("bad syntax in -V option value -- ignored");
        else
            options_.envelope_id = value;
    }

    Options& options_;
};

std::expected<void, std::string> check_combination(const Options& options)
{
    const bool any = !options.recipients.empty();
    if (options.extract_recipients && options.mode != Mode::enqueue)
        return std::unexpected(options.mode == Mode::verify ? "-t option cannot be used with -bv"
                                                            : "-t can be used only in delivery mode");
    if (options.mode == Mode::verify && options.dsn_notify != 0)
        return std::unexpected("-N option cannot be used with -bv");
    if (options.mode == Mode::verify && options.dsn_ret != 0)
        return std::unexpected("-R option cannot be used with -bv");
    if (options.mode == Mode::verify && options.verbosity == 1)
        return std::unexpected("-v option cannot be used with -bv");
    if (!any)
        return {};
    switch (options.mode) {
    case Mode::mailq:
        return std::unexpected("display queue mode requires no recipient");
    case Mode::newaliases:
        return std::unexpected("alias initialization mode requires no recipient");
    case Mode::stand_alone:
        return std::unexpected("stand-alone mode requires no recipient");
    case Mode::daemon:
        return std::unexpected("daemon mode requires no recipient");
    case Mode::flush:
        return std::unexpected(!options.site.empty()       ? "flush site requires no recipient"
                               : !options.queue_id.empty() ? "flush queue_id requires no recipient"
                                                           : "flush queue mode requires no recipient");
    case Mode::enqueue:
    case Mode::verify:
        return {};
    }
    return {};
}

// Our one long option, which mailq has in common with postqueue. True: it was the next argument.
std::expected<bool, std::string> take_where(Options& options, int argc, char** argv)
{
    constexpr std::string_view kName = "--where";
    const int next = std::max(optind, 1);
    const std::string_view word = next < argc ? argv[next] : "";
    if (!word.starts_with(kName) || (word.size() > kName.size() && word[kName.size()] != '='))
        return false;
    const bool apart = word.size() == kName.size();
    if (apart && next + 1 == argc)
        return std::unexpected("--where requires a selection");
    options.where = apart ? argv[next + 1] : word.substr(kName.size() + 1);
    optind = next + (apart ? 2 : 1);
    return true;
}

} // namespace

std::expected<std::uint32_t, std::string> parse_notify(std::string_view text)
{
    std::uint32_t mask = 0;
    for (const auto word : text::split(text, ", \t")) {
        if (text::iequals(word, "never"))
            mask |= ipc::notify::never;
        else if (text::iequals(word, "success"))
            mask |= ipc::notify::success;
        else if (text::iequals(word, "failure"))
            mask |= ipc::notify::failure;
        else if (text::iequals(word, "delay"))
            mask |= ipc::notify::delay;
        else
            return std::unexpected(fmt::format("unknown DSN NOTIFY command value \"{}\" in \"{}\"", word, text));
    }
    if ((mask & ipc::notify::never) != 0 && mask != ipc::notify::never)
        return std::unexpected(fmt::format("bad DSN NOTIFY combination \"{}\"", text));
    return mask;
}

std::expected<Options, std::string> parse_options(std::string_view program, int argc, char** argv)
{
    Options options;
    if (program == "mailq")
        options.mode = Mode::mailq;
    else if (program == "newaliases")
        options.mode = Mode::newaliases;
    else if (program == "smtpd")
        options.mode = Mode::daemon;
    Parser parser(options);
    while (optind < argc) {
        // -q may stand alone, and getopt cannot say that a value is optional.
        if (const int next = std::max(optind, 1); next < argc && std::string_view(argv[next]) == "-q") {
            options.mode = Mode::flush;
            optind = next + 1;
            continue;
        }
        if (program == "mailq") {
            const auto taken = take_where(options, argc, argv);
            if (!taken)
                return std::unexpected(taken.error());
            if (*taken)
                continue;
        }
        const int letter = ::getopt(argc, argv, kLetters);
        if (letter < 0)
            break;
        if (const auto taken = parser.take(static_cast<char>(letter), optarg ? optarg : ""); !taken)
            return std::unexpected(taken.error());
        optarg = nullptr;
    }
    options.recipients.assign(argv + optind, argv + argc);
    if (const auto fits = check_combination(options); !fits)
        return std::unexpected(fits.error());
    return options;
}

} // namespace facteur::sendmail
