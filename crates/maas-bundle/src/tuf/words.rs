//! One word per byte value, short and hard to mistake for another on a bad line.

/// In alphabetical order; the position is the byte. Frozen: a changed list would make two versions
/// of this program read out different words for one root.
pub(crate) const WORDS: [&str; 256] = [
    "acid", "acorn", "actor", "agent", "alarm", "album", "alder", "amber", "anchor", "angel",
    "ankle", "apple", "april", "apron", "arena", "armor", "arrow", "aspen", "atlas", "attic",
    "autumn", "bacon", "badge", "badger", "bagel", "baker", "bamboo", "banjo", "barley", "barrel",
    "basin", "basket", "beacon", "beaver", "bench", "berry", "birch", "bishop", "blade", "bonus",
    "border", "bottle", "branch", "bread", "bridge", "bronze", "brush", "bucket", "budget",
    "butter", "button", "cabin", "cable", "cactus", "camel", "candle", "canoe", "canyon", "carbon",
    "cargo", "carpet", "casino", "castle", "cattle", "cedar", "cellar", "cement", "chalk",
    "cherry", "chess", "circle", "clay", "cliff", "clock", "cloud", "cobalt", "coffee", "comet",
    "copper", "coral", "corner", "cotton", "cradle", "crane", "crater", "crown", "cycle", "dagger",
    "dairy", "dance", "danger", "delta", "desert", "diesel", "dinner", "doctor", "domino",
    "donkey", "dragon", "drawer", "dream", "drum", "eagle", "early", "earth", "echo", "elbow",
    "eleven", "ember", "engine", "escape", "estate", "fabric", "falcon", "farmer", "father",
    "fence", "fiddle", "finger", "flag", "flame", "flute", "forest", "fossil", "fox", "frost",
    "galaxy", "garage", "garden", "garlic", "ginger", "glass", "globe", "goblet", "gold", "gospel",
    "grape", "gravel", "guitar", "hammer", "harbor", "hazel", "helmet", "heron", "hockey", "honey",
    "hotel", "hunter", "igloo", "indigo", "island", "ivory", "jacket", "jaguar", "jelly", "jersey",
    "jewel", "jigsaw", "jungle", "kernel", "kettle", "kidney", "kitten", "ladder", "lagoon",
    "lemon", "lentil", "letter", "lizard", "locket", "lumber", "magnet", "mango", "maple",
    "marble", "market", "meadow", "melon", "mirror", "monkey", "mosaic", "muffin", "museum",
    "napkin", "needle", "nickel", "novel", "nugget", "oasis", "ocean", "olive", "onion", "orange",
    "orchid", "otter", "oxygen", "oyster", "paddle", "palace", "panda", "paper", "parrot",
    "pebble", "pencil", "pepper", "piano", "pigeon", "pillow", "pilot", "planet", "pocket",
    "polar", "potato", "prism", "puzzle", "quarry", "rabbit", "radio", "raven", "ribbon", "river",
    "robot", "rocket", "saddle", "salmon", "sandal", "satin", "school", "shadow", "silver",
    "siren", "sketch", "soccer", "spider", "spoon", "summer", "sunset", "tango", "temple",
    "ticket", "tiger", "timber", "tomato", "tulip", "tunnel", "turtle", "urban", "valley",
    "velvet", "violin", "walnut", "window", "winter", "yellow", "zebra", "zipper",
];
