//! After the proof, with `--keep`: what to open and what to type.

use super::house::House;

/// Says it; the caller waits.
pub(crate) fn say(house: &House, poison: &str) {
    let node = house.url("node");
    println!(
        "\nStill up. Open\n  {node}/                 the status page\n  {node}/metrics          the metrics\n\nor type\n  \
         export EVENKEEL_NODE={node}\n  evenkeel audit                      does it still add up?\n  \
         evenkeel story {poison}               all that became of the poison order\n  \
         evenkeel dead list payment          what is in the dead letters\n  \
         evenkeel tail payments --from earliest\n  evenkeel slo\n\n\
         to break things yourself\n  curl -X POST {}/faults -H 'content-type: application/json' -d '{{\"mode\":\"wedged\"}}'\n  \
         curl -X POST {}/recycle\n\nEverything is in {}. Ctrl-C ends it.",
        house.url("shipping"),
        house.url("shipping"),
        house.dir.display()
    );
}
