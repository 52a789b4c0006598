//! One plain word per byte value.

/// In alphabetical order; the position is the byte. No two are one letter apart. Frozen: with another
/// list, two versions of this program would read out different words for one bundle. (A root has another
/// list and eight words, so that neither is mistaken for the other.)
pub(super) const WORDS: [&str; 256] = [
    "acre", "alley", "almond", "anvil", "apricot", "arch", "aunt", "axle", "ball", "bank", "barn",
    "bath", "beach", "bean", "belt", "bicycle", "bird", "biscuit", "blanket", "boat", "bone",
    "bowl", "bracelet", "brass", "brick", "brook", "buffalo", "bulb", "cabbage", "cake",
    "calendar", "calf", "camp", "caravan", "card", "carrot", "chain", "cheese", "chest", "chimney",
    "church", "cider", "city", "cloak", "clover", "coach", "coal", "coin", "comb", "cook", "crab",
    "cream", "cricket", "crow", "cube", "curtain", "cushion", "daisy", "dawn", "deer", "desk",
    "diamond", "dice", "dish", "doll", "dolphin", "door", "dove", "duck", "dune", "dust",
    "elephant", "emerald", "envelope", "face", "farm", "feather", "fern", "field", "fire", "flint",
    "floor", "flower", "foam", "folder", "foot", "fork", "fountain", "frame", "frog", "fruit",
    "funnel", "gate", "ghost", "giant", "gift", "giraffe", "glove", "glue", "goose", "grain",
    "guard", "gull", "hail", "hammock", "hand", "harp", "hawk", "heart", "hedge", "hedgehog",
    "hill", "hive", "home", "horse", "iris", "iron", "kangaroo", "kayak", "king", "kite", "knee",
    "knife", "knot", "lantern", "lark", "leaf", "lens", "lettuce", "lily", "lime", "lion",
    "lobster", "lock", "loom", "lynx", "mask", "meal", "milk", "mint", "mitten", "mole", "moon",
    "moss", "moth", "mouse", "mushroom", "music", "mustard", "nest", "night", "north", "nose",
    "octopus", "onyx", "opal", "ostrich", "oven", "page", "paint", "palm", "pancake", "parsley",
    "peacock", "pear", "penguin", "petal", "pillar", "pine", "plate", "plum", "pond", "pool",
    "port", "pump", "pumpkin", "pyramid", "queen", "quilt", "quiz", "raisin", "reed", "road",
    "roof", "rope", "ruby", "sack", "salt", "sausage", "scarf", "seaweed", "shed", "sheep",
    "shell", "ship", "shoe", "shovel", "sink", "skate", "snail", "snow", "soap", "sofa", "spade",
    "spark", "spring", "squash", "squirrel", "stair", "steam", "steel", "stone", "stork", "straw",
    "street", "sugar", "swan", "sword", "table", "teapot", "tent", "thorn", "throne", "thumb",
    "thunder", "tile", "toast", "tooth", "torch", "towel", "tray", "tree", "truck", "trumpet",
    "tuna", "umbrella", "uncle", "vase", "village", "voice", "wagon", "wasp", "water", "wave",
    "well", "whale", "wheat", "wheel", "whistle", "willow", "wind", "wolf", "wood", "worm",
    "yeast", "zinc",
];
