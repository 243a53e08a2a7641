// The quantiles of the normal distribution and of Student's t, as in projections/scores/distributions.py.
//
// Sources: M. Wichura, "Algorithm AS 241" (1988); M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions"
// (1964), section 26.7.

/** The 97.5% point of the standard normal distribution. */
export const Z_95 = 1.959963984540054;

const MAX_FREEDOM = 1000;
const MANY_FREEDOM = 30;

/** The value of a polynomial; the coefficient of the highest power comes first. @param {number} x @param {number[]} of */
const polynomial = (x, of) => of.reduce((sum, one) => sum * x + one, 0);

const CENTRAL = [
  [
    2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946, 1971.5909503065513,
    133.14166789178438, 3.3871328727963665,
  ],
  [
    5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751, 687.1870074920579,
    42.31333070160091, 1,
  ],
];
const MIDDLE = [
  [
    0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045,
    5.769497221460691, 4.630337846156546, 1.4234371107496835,
  ],
  [
    1.0507500716444169e-9, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008, 0.6897673349851,
    1.6763848301838038, 2.053191626637759, 1,
  ],
];
const FAR = [
  [
    2.0103343992922881e-7, 2.7115555687434876e-5, 0.0012426609473880784, 0.026532189526576124, 0.29656057182850487,
    1.7848265399172913, 5.463784911164114, 6.657904643501103,
  ],
  [
    2.0442631033899397e-15, 1.421511758316446e-7, 1.8463183175100548e-5, 0.0007868691311456133, 0.014875361290850615,
    0.1369298809227358, 0.599832206555888, 1,
  ],
];

/** The z below which a standard normal variable lies with a probability (AS 241). @param {number} probability */
export function normalQuantile(probability) {
  const q = probability - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(r, CENTRAL[0])) / polynomial(r, CENTRAL[1]);
  }
  const r = Math.sqrt(-Math.log(q <= 0 ? probability : 1 - probability));
  const [over, under] = r <= 5 ? MIDDLE : FAR;
  const shifted = r - (r <= 5 ? 1.6 : 5);
  const x = polynomial(shifted, over) / polynomial(shifted, under);
  return q < 0 ? -x : x;
}

/** The two-sided p-value of Student's t (26.7.3 and 26.7.4). @param {number} t @param {number} nu degrees of freedom */
function studentP(t, nu) {
  const angle = Math.atan(Math.abs(t) / Math.sqrt(nu));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = nu % 2 === 1;
  let term = isOdd ? cosine : 1;
  let total = term;
  for (let k = isOdd ? 3 : 2; k < nu; k += 2) {
    term *= (cosine ** 2 * (k - 1)) / k;
    total += term;
  }
  if (nu === 1) return 1 - (2 * angle) / Math.PI;
  return Math.max(0, 1 - (isOdd ? (2 / Math.PI) * (angle + sine * total) : sine * total));
}

/** @type {Map<number, number>} */
const found = new Map();

/** How many standard errors a two-sided 95% interval reaches to each side. @param {number} freedom */
export function critical(freedom) {
  if (freedom > MAX_FREEDOM) return normalQuantile(0.975);
  const nu = Math.max(1, Math.floor(freedom + 1e-9));
  const known = found.get(nu) ?? (nu >= MANY_FREEDOM ? expanded(normalQuantile(0.975), nu) : bisected(nu));
  found.set(nu, known);
  return known;
}

/** Abramowitz and Stegun, 26.7.5. @param {number} z @param {number} nu */
function expanded(z, nu) {
  return (
    z +
    (z ** 3 + z) / (4 * nu) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * nu ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * nu ** 3) +
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / (92160 * nu ** 4)
  );
}

/** @param {number} nu */
function bisected(nu) {
  const tail = 2 * (1 - 0.975);
  let [low, high] = [0, 2];
  while (studentP(high, nu) > tail) [low, high] = [high, 2 * high];
  while (high - low > 1e-12 * Math.max(1, high)) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (studentP(middle, nu) > tail) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
