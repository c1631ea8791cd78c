// network.cc: minimum-cost flow by lemon's network simplex, as SPEC's mcf does. network NODES ARCS; prints the cost.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <lemon/network_simplex.h>
#include <lemon/smart_graph.h>
#include <vector>

static uint32_t seed = 1;
static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return uint32_t(uint64_t(seed) * below >> 32);
}

int main(int argc, char **argv)
{
    int nodes = argc > 1 ? atoi(argv[1]) : 1000, arcs = argc > 2 ? atoi(argv[2]) : 8000;
    lemon::SmartDigraph g;
    for (int i = 0; i < nodes; i++)
        g.addNode();
    lemon::SmartDigraph::ArcMap<int> capacity(g), cost(g);
    lemon::SmartDigraph::NodeMap<int> supply(g, 0);
    for (int i = 0; i < nodes; i++) { // a dear ring makes every instance feasible
        auto a = g.addArc(g.nodeFromId(i), g.nodeFromId((i + 1) % nodes));
        capacity[a] = 1 << 24, cost[a] = 10000;
    }
    for (int i = nodes; i < arcs; i++) {
        auto a = g.addArc(g.nodeFromId(int(draw(uint32_t(nodes)))), g.nodeFromId(int(draw(uint32_t(nodes)))));
        capacity[a] = int(1 + draw(100)), cost[a] = int(1 + draw(1000));
    }
    for (int i = 0; i < nodes / 2; i++) {
        int amount = int(draw(50));
        supply[g.nodeFromId(i)] += amount;
        supply[g.nodeFromId(nodes - 1 - i)] -= amount;
    }
    lemon::NetworkSimplex<lemon::SmartDigraph, int, long long> simplex(g);
    auto result = simplex.upperMap(capacity).costMap(cost).supplyMap(supply).run();
    printf("%d %lld\n", int(result), (long long)simplex.totalCost());
    return result != lemon::NetworkSimplex<lemon::SmartDigraph, int, long long>::OPTIMAL;
}
