"""The table of antonyms.py, curated by hand."""

from __future__ import annotations

# Pairs of sides apart by semicolons; the words of a side have the same opposites.
PAIRS = """
on | off; enable, activate | disable, deactivate; ascending | descending; increase, raise, gain,
grow, boost | decrease, reduce, lower, lose, lost, shrink, decline, drop; buy, purchase, bought |
sell, sold; encode | decode; encrypt | decrypt; compress | decompress, extract; before | after;
min, minimum, minimal, minimise, minimize | max, maximum, maximal, maximise, maximize; push | pull;
import | export; male, man, men, boy, guy, king | female, woman, women, girl, lady, queen; husband,
father, son, brother, boyfriend | wife, mother, daughter, sister, girlfriend; best, top, greatest |
worst; pro, advantage, benefit, upside, merit | con, disadvantage, drawback, downside, demerit;
strength | weakness; add, append | remove, delete, subtract; insert | delete; create | delete,
destroy; install, reinstall | uninstall, remove; up, upward | down, downward; upload | download;
upstairs | downstairs; open | close; start, begin, begun, launch | stop, end, finish, quit; lend,
lent | borrow; hot, warm | cold, cool; left | right, correct; first | last; first | second, third;
public | private; good, great | bad, poor; better | worse; more | less, fewer; most | least; many |
few; high, tall | low, short; higher | lower; highest, tallest | lowest, shortest; big, large, huge
| small, tiny, little; bigger, larger | smaller; biggest, largest | smallest; long | short; longer
| shorter; longest | shortest; fast, quick, rapid | slow; faster, quicker | slower; fastest,
quickest | slowest; easy, simple, easily | hard, difficult, tough; easier | harder; easiest,
simplest | hardest, toughest; cheap, inexpensive | expensive, costly; cheapest | expensive; heavy |
light; heavier | lighter; hard | soft; hardware | software; strong | weak; stronger | weaker;
strongest | weakest; thick, fat | thin, slim; old | new, young; older | newer, younger; oldest |
newest, youngest; ancient | modern; rich, wealthy | poor; happy, happiness | sad, unhappy, sadness;
love, like | hate, dislike; true | false; truth | lie; right, correct | wrong, incorrect; positive
| negative; active | passive; alive, live, life | dead, death; birth, born, birthday | death, died;
die | live, survive; safe, safety | dangerous, unsafe, danger; legal, lawful | illegal, unlawful;
possible | impossible; easy | impossible; same, similar, similarity | different, difference,
differ; include | exclude; inclusive | exclusive; inside, indoor | outside, outdoor; inner,
internal | outer, external; interior | exterior; input | output; inbound, incoming | outbound,
outgoing; above, over | below, under; above | beneath; front | back, rear; forward, forwards |
backward, backwards, reverse; horizontal, horizontally | vertical, vertically; row | column;
vertical | lateral; deep | shallow; wide, broad | narrow; full | empty; lock | unlock; block |
unblock; follow | unfollow; friend | enemy, unfriend; subscribe | unsubscribe; mute | unmute; hide,
hidden | show, unhide, visible; attach | detach; connect | disconnect; mount | unmount; zip |
unzip; pack | unpack; load | unload, save; freeze, frozen | melt, thaw, unfreeze; sync | async;
synchronous | asynchronous; serialize | deserialize; allow, permit, accept, allowed | forbid, deny,
reject, prohibit, ban, refuse, prevent; approve | reject, disapprove; agree | disagree; arrive,
arrival | depart, departure, leave; enter, entry | exit; entrance | exit; sign | resign; login,
signin | logout, signout; employ, hire | fire, sack; employer | employee; teacher, instructor |
student, pupil; doctor | patient; landlord | tenant; buyer, customer, client | seller, server,
vendor; lender | borrower; parent | child, children; ancestor | descendant; master | slave; host |
guest; host | client; sender | receiver, recipient; send, sent | receive; give, gave, given | take,
took, taken, receive; ask | answer; undo | redo; grant | revoke; overflow | underflow; cause |
prevent, cure; taller | shorter; current | first, former, previous; cancel | renew; benefit | risk,
harm, side; pregnant | breastfeeding; start | restart; value | reference; rise, rose, risen | fall,
fell, fallen; join | leave; advance | retreat; application | limitation; minuend | subtrahend;
encrypted | decrypted; laptop | desktop; central | peripheral; symptom | cause; win, won, winner |
lose, lost, loser; victory | defeat; attack, offense, offensive | defend, defense, defensive;
build, built | destroy, demolish; war | peace; day | night; morning | evening, night; summer |
winter; spring | autumn, fall; sunrise | sunset; dawn | dusk; north, northern | south, southern;
east, eastern | west, western; rural | urban; domestic | foreign, international; local | remote,
global; national | international; global | regional; liberal | conservative; democrat, democratic |
republican; introvert, introverted | extrovert, extroverted; optimist, optimistic | pessimist,
pessimistic; singular | plural; single | married, double, multiple; marry, marriage | divorce;
married | divorced, unmarried; acid, acidic | base, basic, alkaline; atom | molecule; proton |
electron, neutron; neutron | electron; cation | anion; anode | cathode; analog, analogue | digital;
odd | even; prime | composite; add, addition | subtraction; multiply, multiplication | divide,
division; numerator | denominator; integrate, integral | differentiate, derivative; convex |
concave; sine | cosine; latitude | longitude; maternal | paternal; ascend | descend; acquire |
sell; client | server; frontend | backend; static | dynamic; mutable | immutable; signed |
unsigned; absolute | relative; abstract | concrete; qualitative | quantitative; inductive |
deductive; micro | macro; microeconomics | macroeconomics; supply | demand; profit | loss; asset |
liability, liabilities; debit | credit; income, revenue | expense, expenditure; deposit | withdraw,
withdrawal; bull, bullish | bear, bearish; inflation | deflation; appreciate, appreciation |
depreciate, depreciation; fixed | variable; major | minor; majority | minority; junior | senior;
beginner, novice, amateur | expert, advanced, professional; undergraduate | graduate, postgraduate;
bachelor | master; superior | inferior; guilty | innocent; plaintiff | defendant; civil | criminal;
crime | punishment; theory, theoretical | practice, practical; question | answer; problem |
solution; cause | effect, consequence; symptom | cure, treatment, cause; cure, treat, treatment |
cause, prevent, prevention; hero | villain; fiction | nonfiction; comedy | tragedy; natural |
artificial, synthetic; organic | inorganic; raw | cooked; fresh | stale, frozen; wet | dry; clean |
dirty; smooth | rough; sharp | blunt, dull; sweet | sour, bitter, salty; loud | quiet, silent;
bright | dark, dim; light | dark, darkness; black | white; beautiful, pretty, handsome | ugly;
brave | coward; polite | rude; honest | dishonest; intelligent, smart, clever | stupid, dumb; lucky
| unlucky; famous | unknown; popular | unpopular; normal | abnormal; common | rare, uncommon; usual
| unusual; regular | irregular; healthy | unhealthy, sick; sober | drunk; asleep, sleep | awake,
wake; remember | forget; learn | teach, unlearn; succeed, success, successful | fail, failure,
unsuccessful; pass | fail; earlier, early | later, late; earliest | latest; past | future; previous
| next; predecessor | successor; past | present; temporary | permanent; finite | infinite;
voluntary | compulsory, mandatory, involuntary; optional | mandatory, required, compulsory; free |
paid; permanent | contract; with | without; manual, manually | automatic, automatically; optimist |
pessimist; upper | lower; uppercase | lowercase; prefix | suffix; head | tail; stack | queue;
encoder | decoder; transmitter | receiver; read | write; reader | writer; source | destination,
target; vegetarian, vegan | nonvegetarian; herbivore | carnivore; prey | predator; inhale | exhale;
swell | shrink; expand | contract, collapse; extend | shorten; lengthen | shorten; tighten |
loosen; strengthen | weaken; thicken | thin; widen | narrow; darken | lighten; heat | cool; sit |
stand; stand | lie; whole | part; thicker | thinner; hotter | colder, cooler; warmer | cooler,
colder; louder | quieter; wider | narrower; darker, dimmer | lighter, brighter; taller | shorter;
deeper | shallower; sweeter | sourer; tighter | looser; sharper | duller, blunter; happier | sadder;
safer | riskier; drier | wetter; smoother | rougher; stronger | weaker; harder | softer, easier;
richer | poorer; closer, nearer | farther, further
"""
