#include "gpu/simulated/models.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>

#include "base/random.hpp"
#include "base/text.hpp"
#include "gpu/simulated/simulation.hpp"

namespace reeve::gpu::simulated {

namespace {

// A driver of the 580 branch speaks CUDA 13.0.
constexpr const char* kDriverVersion = "580.95.05";
constexpr std::int64_t kCudaVersion = 13000;
constexpr std::int64_t kNvswitchGpus = 8;  // Of an HGX board.
constexpr std::int64_t kBridgeLinks = 4;   // Models with no more reach one neighbour by a bridge.

enum class Kind : std::uint8_t { kDesktop, kServer, kServerMig, kUnified };

struct Row {
    const char* key;
    const char* name;
    Kind kind;
    std::array<std::int64_t, 2> memory_mib;  // All, and what the driver reserves of it.
    std::array<std::int64_t, 2> compute;
    std::int64_t architecture;
    std::int64_t pci_device_id;
    std::int64_t cores;
    std::array<std::int64_t, 3> watts;  // Idle, lowest limit, highest limit.
    std::array<std::int64_t, 2> mhz;    // SM, memory.
    std::int64_t pcie_generation;
    std::array<std::int64_t, 2> nvlink;  // Links, version.
};

// Figures of the makers' data sheets; where a sheet says nothing (what the driver reserves, idle
// power), a plausible one.
// clang-format off
constexpr auto kCatalogue = std::to_array<Row>({
    {"RTX3080",    "NVIDIA GeForce RTX 3080",    Kind::kDesktop,   {10240, 254},  {8, 6},   7, 0x2206,  8704, {18, 100, 320},  {2100, 9501},  4, {0, 0}},
    {"RTX3090",    "NVIDIA GeForce RTX 3090",    Kind::kDesktop,   {24576, 312},  {8, 6},   7, 0x2204, 10496, {22, 100, 350},  {2100, 9751},  4, {0, 0}},
    {"RTX4090",    "NVIDIA GeForce RTX 4090",    Kind::kDesktop,   {24564, 346},  {8, 9},   8, 0x2684, 16384, {20, 150, 450},  {3105, 10501}, 4, {0, 0}},
    {"RTX5090",    "NVIDIA GeForce RTX 5090",    Kind::kDesktop,   {32607, 483},  {12, 0}, 10, 0x2b85, 21760, {24, 400, 575},  {3090, 14001}, 5, {0, 0}},
    {"T4",         "Tesla T4",                   Kind::kServer,    {15360, 447},  {7, 5},   6, 0x1eb8,  2560, {10, 60, 70},    {1590, 5001},  3, {0, 0}},
    {"V100",       "Tesla V100-SXM2-32GB",       Kind::kServer,    {32768, 266},  {7, 0},   5, 0x1db5,  5120, {42, 150, 300},  {1530, 877},   3, {6, 2}},
    {"L4",         "NVIDIA L4",                  Kind::kServer,    {23034, 429},  {8, 9},   8, 0x27b8,  7424, {16, 40, 72},    {2040, 6251},  4, {0, 0}},
    {"L40S",       "NVIDIA L40S",                Kind::kServer,    {46068, 599},  {8, 9},   8, 0x26b9, 18176, {35, 100, 350},  {2520, 9001},  4, {0, 0}},
    {"A30",        "NVIDIA A30",                 Kind::kServerMig, {24576, 401},  {8, 0},   7, 0x20b7,  3584, {30, 100, 165},  {1440, 1215},  4, {4, 3}},
    {"A100",       "NVIDIA A100-SXM4-40GB",      Kind::kServerMig, {40960, 571},  {8, 0},   7, 0x20b0,  6912, {52, 100, 400},  {1410, 1215},  4, {12, 3}},
    {"A100-80GB",  "NVIDIA A100-SXM4-80GB",      Kind::kServerMig, {81920, 635},  {8, 0},   7, 0x20b2,  6912, {60, 100, 400},  {1410, 1593},  4, {12, 3}},
    {"H100",       "NVIDIA H100 80GB HBM3",      Kind::kServerMig, {81559, 551},  {9, 0},   9, 0x2330, 16896, {70, 200, 700},  {1980, 2619},  5, {18, 4}},
    {"H200",       "NVIDIA H200",                Kind::kServerMig, {143771, 611}, {9, 0},   9, 0x2335, 16896, {76, 200, 700},  {1980, 3201},  5, {18, 4}},
    {"B200",       "NVIDIA B200",                Kind::kServerMig, {183359, 723}, {10, 0}, 10, 0x2901, 18944, {140, 200, 1000}, {1965, 3996}, 5, {18, 5}},
    {"GB10",       "NVIDIA GB10",                Kind::kUnified,   {122570, 0},   {12, 1}, 10, 0x2e12,  6144, {4, 0, 140},     {3003, 0},     5, {0, 0}},
});
// clang-format on

GpuModel model_of(const Row& row) {
    GpuModel model;
    model.name = row.name;
    model.memory_mib = row.memory_mib[0];
    model.reserved_mib = row.memory_mib[1];
    model.compute_major = row.compute[0];
    model.compute_minor = row.compute[1];
    model.architecture = row.architecture;
    model.brand = row.kind == Kind::kDesktop ? 5 : 14;
    model.pci_device_id = row.pci_device_id;
    model.cores = row.cores;
    model.power_idle_watts = row.watts[0];
    model.power_min_watts = row.watts[1];
    model.power_limit_watts = row.watts[2];
    model.sm_clock_mhz = row.mhz[0];
    model.memory_clock_mhz = row.mhz[1];
    model.pcie_generation = row.pcie_generation;
    model.nvlinks = row.nvlink[0];
    model.nvlink_version = row.nvlink[1];
    model.has_fan = row.kind == Kind::kDesktop;
    model.has_ecc = row.kind == Kind::kServer || row.kind == Kind::kServerMig;
    model.has_mig = row.kind == Kind::kServerMig;
    model.has_unified_memory = row.kind == Kind::kUnified;
    return model;
}

/// Letters and digits alone, in capitals: "rtx-5090" is "RTX5090".
std::string plain(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        }
    }
    return out;
}

/// 64-bit FNV-1a: the same everywhere, unlike std::hash.
std::uint64_t hash_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return hash;
}

/// Begins with the index, so that the order by UUID is that of the indexes and two digits are a
/// unique prefix. Version 8 of RFC 9562: bits of the maker's own.
std::string uuid_of(std::string_view seed, std::size_t index) {
    SeededRandom random(hash_of(seed) + index);
    const std::uint64_t a = random.next();
    const std::uint64_t b = random.next();
    char text[41] = {};
    std::snprintf(
        text, sizeof text, "GPU-%02x%06x-%04x-8%03x-%04x-%012llx", static_cast<unsigned>(index),
        static_cast<unsigned>(a & 0xFFFFFFU), static_cast<unsigned>((a >> 24U) & 0xFFFFU),
        static_cast<unsigned>((a >> 40U) & 0xFFFU),
        static_cast<unsigned>(0x8000U | ((a >> 52U) & 0xFFFU)),
        static_cast<unsigned long long>(b & 0xFFFFFFFFFFFFULL));
    return text;
}

/// Eight slots to a PCI domain, spread as boards spread them.
std::string bus_id_of(std::size_t index) {
    constexpr std::array<unsigned, 8> kBuses = {0x17, 0x2a, 0x3d, 0x50, 0x97, 0xaa, 0xbd, 0xd0};
    char text[32] = {};
    std::snprintf(
        text, sizeof text, "%08X:%02X:00.0", static_cast<unsigned>(index / kBuses.size()),
        kBuses.at(index % kBuses.size()));
    return text;
}

Result<const Row*> find_model(std::string_view name) {
    const std::string wanted = plain(name);
    for (const Row& row : kCatalogue) {
        if (plain(row.key) == wanted) {
            return &row;
        }
    }
    std::string known;
    for (const std::string& key : known_models()) {
        known += (known.empty() ? "" : " ") + key;
    }
    const std::string suggestion = nearest(wanted, known_models());
    return fail(
        ErrorCode::kInvalid, "no simulated GPU model '" + std::string(name) + "'" +
                                 (suggestion.empty() ? "" : "; did you mean " + suggestion + "?") +
                                 " (known: " + known + ")");
}

struct Part {
    std::int64_t count = 0;
    const Row* row = nullptr;
};

/// "4xRTX5090", or "RTX5090" for one.
Result<Part> parse_part(std::string_view text) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const bool has_count =
        digits > 0 && digits < text.size() && (text[digits] == 'x' || text[digits] == 'X');
    Part part{.count = 1, .row = nullptr};
    if (has_count) {
        const Result<std::int64_t> count = parse_integer(text.substr(0, digits));
        if (!count || *count < 1 || *count > static_cast<std::int64_t>(kGpusMax)) {
            return fail(
                ErrorCode::kInvalid, "'" + std::string(text) + "': 1 to " +
                                         std::to_string(kGpusMax) + " simulated GPUs to a machine");
        }
        part.count = *count;
        text.remove_prefix(digits + 1);
    }
    const Result<const Row*> row = find_model(text);
    if (!row) {
        return tl::unexpected(row.error());
    }
    part.row = *row;
    return part;
}

void add_gpus(Topology& topology, const Part& part) {
    topology.models.emplace(part.row->key, model_of(*part.row));
    for (std::int64_t i = 0; i < part.count; ++i) {
        const std::size_t index = topology.gpus.size();
        Gpu gpu;
        gpu.uuid = uuid_of(topology.seed, index);
        gpu.model = part.row->key;
        gpu.pci_bus_id = bus_id_of(index);
        gpu.minor = static_cast<std::int64_t>(index);
        gpu.numa_node = part.count >= 8 && i >= part.count / 2 ? 1 : 0;  // Two sockets.
        gpu.has_nvswitch = part.count == kNvswitchGpus && part.row->nvlink[0] > kBridgeLinks;
        topology.gpus.push_back(std::move(gpu));
    }
}

}  // namespace

std::vector<std::string> known_models() {
    std::vector<std::string> keys;
    keys.reserve(kCatalogue.size());
    for (const Row& row : kCatalogue) {
        keys.emplace_back(row.key);
    }
    return keys;
}

Result<Topology> topology_of(std::string_view preset, std::string_view seed) {
    Topology topology;
    topology.preset = preset;
    topology.seed = seed;
    topology.driver_version = kDriverVersion;
    topology.cuda_version = kCudaVersion;
    for (const std::string& text : split(preset, ',')) {
        const Result<Part> part = parse_part(text);
        if (!part) {
            return tl::unexpected(part.error());
        }
        add_gpus(topology, *part);
        if (topology.gpus.size() > kGpusMax) {
            return fail(
                ErrorCode::kInvalid,
                "at most " + std::to_string(kGpusMax) + " simulated GPUs to a machine");
        }
    }
    return topology;
}

}  // namespace reeve::gpu::simulated
