#include "tools/postsuper/options.h"

#include <getopt.h>

#include <string_view>

namespace facteur::postsuper {

namespace {

enum LongOption { kWhere = 256, kDryRun, kJson, kRuleAdd, kRuleList, kRuleRemove, kAction, kFor };

constexpr option kLongOptions[] = {
    {"where", required_argument, nullptr, kWhere},
    {"dry-run", no_argument, nullptr, kDryRun},
    {"json", no_argument, nullptr, kJson},
    {"rule-add", required_argument, nullptr, kRuleAdd},
    {"rule-list", no_argument, nullptr, kRuleList},
    {"rule-remove", required_argument, nullptr, kRuleRemove},
    {"action", required_argument, nullptr, kAction},
    {"for", required_argument, nullptr, kFor},
    {nullptr, 0, nullptr, 0},
};

// "-h --where EXPR": the operation has no id of its own then, so what looks like one is the next option.
std::string take_id(char** argv)
{
    const std::string_view id = optarg;
    if (optarg != argv[optind - 1] || id.size() < 3 || !id.starts_with("--"))
        return std::string(id);
    --optind;
    return {};
}

void take_short(Options& options, int option, char** argv)
{
    const auto request = [&](Operation operation) { options.requests.push_back({operation, take_id(argv)}); };
    switch (option) {
    case 'c':
        options.directory = optarg;
        break;
    case 'd':
        request(Operation::remove);
        break;
    case 'e':
        request(Operation::expire);
        break;
    case 'f':
        request(Operation::expire_and_release);
        break;
    case 'h':
        request(Operation::hold);
        break;
    case 'H':
        request(Operation::release);
        break;
    case 'r':
        request(Operation::requeue);
        break;
    case 'p':
        options.purge = true;
        break;
    case 's':
    case 'S':
        options.structure = true;
        break;
    case 'v':
        ++options.verbosity;
        break;
    default:
        options.wrong = true;
    }
}

void take_long(Options& options, int option)
{
    switch (option) {
    case kWhere:
        options.where = options.where ? "(" + *options.where + ") and (" + optarg + ")" : std::string(optarg);
        break;
    case kDryRun:
        options.mode = Mode::rehearse;
        break;
    case kJson:
        options.json = true;
        break;
    case kRuleAdd:
        options.rules.add = optarg;
        break;
    case kRuleList:
        options.rules.list = true;
        break;
    case kRuleRemove:
        options.rules.remove = optarg;
        break;
    case kAction:
        options.rules.action = optarg;
        break;
    default:
        options.rules.duration = optarg;
    }
}

std::string contradiction(const Options& options)
{
    const RuleOptions& rules = options.rules;
    if (options.where && options.requests.empty())
        return "--where needs something to do: -d, -e, -f, -h, -H or -r";
    if (!options.where)
        for (const auto& request : options.requests)
            if (request.id.empty())
                return "which messages? Give a queue id, ALL, - or --where";
    if (!rules.any())
        return {};
    if (!options.requests.empty() || options.structure || options.purge || options.where)
        return "rules and operations on messages do not go together";
    if (static_cast<int>(rules.add.has_value()) + static_cast<int>(rules.remove.has_value()) + rules.list != 1)
        return "one of --rule-add, --rule-list and --rule-remove at a time";
    if (rules.add && (!rules.action || !rules.duration))
        return "--rule-add needs --action hold|delete|expire and --for TIME";
    if (!rules.add && (rules.action || rules.duration))
        return "--action and --for belong to --rule-add";
    return {};
}

} // namespace

Options parse_options(int argc, char** argv)
{
    Options options;
    for (int option = 0; (option = ::getopt_long(argc, argv, "c:d:e:f:h:H:pr:sSv", kLongOptions, nullptr)) != -1;) {
        if (option >= kWhere)
            take_long(options, option);
        else
            take_short(options, option, argv);
    }
    for (int i = optind; i < argc; ++i)
        options.queues.emplace_back(argv[i]);
    options.problem = contradiction(options);
    if (options.requests.empty() && !options.purge && !options.structure && !options.rules.any())
        options.purge = options.structure = true;
    return options;
}

} // namespace facteur::postsuper
