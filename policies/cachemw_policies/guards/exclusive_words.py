"""The sets of exclusive.py: members apart by commas, spellings of one member by blanks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SETS: Mapping[str, str] = MappingProxyType(
    {
        "programming": """python py, java, javascript js nodejs node, typescript ts, c, c++ cpp, c#
            csharp, ruby rails, php, perl, go golang, rust, swift, kotlin, scala, haskell, matlab,
            fortran, cobol, lisp, r, bash, powershell, sql, html, css, lua, julia, dart, excel""",
        "databases": """mysql, postgresql postgres, sqlite, oracle, mongodb mongo, redis, cassandra,
            mariadb, dynamodb, elasticsearch""",
        "frameworks": """react reactjs, angular angularjs, vue vuejs, django, flask, spring,
            laravel, rails, express, svelte, jquery, bootstrap, wordpress, drupal, joomla,
            magento""",
        "learning": "tensorflow, pytorch, keras, numpy, pandas, scipy, matplotlib",
        "systems": """linux ubuntu debian, windows, mac macos osx macbook, android, ios iphone ipad,
            chromebook, blackberry""",
        "distributions": "ubuntu, debian, fedora, centos, arch, mint, kali, redhat",
        "browsers": "chrome, firefox, safari, edge, opera, explorer",
        "clouds": "aws amazon, azure, gcp, heroku, digitalocean",
        "formats": """pdf, docx doc word, csv, xlsx xls excel, json, xml, yaml, jpg jpeg, png, gif,
            mp3, mp4, wav, avi, txt, ppt pptx powerpoint""",
        "structures": "array, list, dictionary dict, tuple, set, stack, queue, tree, graph",
        "networks": """facebook fb, instagram, twitter, snapchat, whatsapp, quora, reddit, linkedin,
            youtube, tinder, pinterest, telegram, skype, wechat, tumblr, messenger, tiktok, gmail,
            yahoo, outlook hotmail""",
        "companies": """google, microsoft, apple, amazon, facebook, samsung, sony, ibm, intel, amd,
            nvidia, oracle, uber, lyft, netflix, tesla, toyota, honda, ford, bmw, audi, nike,
            adidas, flipkart, ebay, walmart, paypal, airbnb, infosys, tcs, wipro, accenture,
            cognizant, deloitte, kpmg, nokia, xiaomi, huawei, lenovo, dell, hp, asus, acer, airtel,
            vodafone, jio, verizon, comcast""",
        "colours": """red, blue, green, yellow, black, white, orange, purple violet, pink, brown,
            grey gray, golden""",
        "compass": """north northern, south southern, east eastern, west western, northeast
            northeastern, northwest northwestern, southeast southeastern, southwest southwestern""",
        "countries": """india indian, china chinese, pakistan pakistani, america american usa,
            britain british uk england english, france french, germany german, italy italian, spain
            spanish, portugal portuguese, russia russian, japan japanese, korea korean, vietnam
            vietnamese, thailand thai, indonesia indonesian, malaysia malaysian, singapore
            singaporean, philippines filipino, australia australian, canada canadian, mexico
            mexican, brazil brazilian, argentina argentinian, chile chilean, colombia colombian,
            peru peruvian, venezuela venezuelan, cuba cuban, egypt egyptian, nigeria nigerian, kenya
            kenyan, ghana, ethiopia ethiopian, israel israeli, palestine palestinian, iran iranian,
            iraq iraqi, syria syrian, turkey turkish, greece greek, poland polish, ukraine
            ukrainian, sweden swedish, norway norwegian, finland finnish, denmark danish,
            netherlands dutch holland, belgium belgian, switzerland swiss, austria austrian,
            hungary hungarian, romania romanian, bulgaria bulgarian, ireland irish, scotland
            scottish, wales welsh, iceland icelandic, nepal nepali, bangladesh bangladeshi,
            afghanistan afghan, taiwan taiwanese, tibet tibetan, dubai uae, qatar, kuwait, bahrain,
            morocco moroccan, algeria algerian""",
        "continents": "asia asian, europe european, africa african, antarctica, oceania",
        "cities": """london, paris, berlin, tokyo, beijing, shanghai, moscow, rome, madrid,
            amsterdam, sydney, melbourne, toronto, vancouver, delhi, mumbai bombay, bangalore
            bengaluru, chennai, kolkata, hyderabad, pune, jaipur, ahmedabad, kochi, noida, gurgaon,
            boston, chicago, seattle, houston, dallas, austin, philadelphia, miami, atlanta, denver,
            detroit, dubai, karachi, lahore""",
        "states": """california, texas, florida, ohio, michigan, illinois, pennsylvania, georgia,
            virginia, massachusetts, colorado, arizona, nevada, oregon, utah, alaska, hawaii,
            maryland, minnesota, wisconsin, tennessee, kentucky, alabama, kerala, maharashtra,
            gujarat, punjab, bihar, karnataka, odisha, rajasthan, assam, kashmir""",
        "languages": """hindi, tamil, telugu, kannada, malayalam, marathi, bengali, gujarati,
            punjabi, urdu, sanskrit, english, french, german, spanish, italian, portuguese, russian,
            arabic, mandarin chinese cantonese, japanese, korean, latin, hebrew, persian""",
        "religions": """christian christianity, muslim islam islamic, hindu hinduism, jewish jew
            judaism, buddhist buddhism, sikh sikhism, atheist atheism, jain jainism, catholic,
            protestant""",
        "planets": """mercury, venus, earth, mars, jupiter, saturn, uranus, neptune, pluto, moon,
            sun""",
        "animals": """dog puppy puppies, cat kitten, horse, cow, pig, sheep, goat, chicken, duck,
            fish, bird, snake, lion, tiger, elephant, monkey, bear, wolf wolves, rabbit, mouse mice,
            rat, spider, bee, ant, shark, whale, dolphin, frog, turtle, hamster""",
        "family": """mother mom mum, father dad, sister, brother, son, daughter, wife, husband,
            girlfriend, boyfriend, uncle, aunt, cousin, grandmother grandma, grandfather grandpa""",
        "length": """mm millimeter millimetre, cm centimeter centimetre, km kilometer kilometre,
            mile mi, inch inches, foot feet ft, yard, nm nanometer""",
        "mass": "mg milligram, kg kilogram kilo, pound lb, ounce oz, ton tonne, gram gm",
        "volume": "ml milliliter, liter litre, gallon, pint, quart, cup, tablespoon, teaspoon",
        "time": "second, minute, hour, day, week, month, year, decade, century centuries",
        "temperature": "celsius centigrade, fahrenheit, kelvin",
        "money": """dollar usd $, euro eur €, pound gbp £, rupee inr ₹, yen jpy ¥, yuan rmb,
            bitcoin btc, ethereum ether, litecoin""",
        "bytes": "kb kilobyte, mb megabyte, gb gigabyte, tb terabyte, bit, byte",
        "meals": "breakfast, lunch, dinner supper",
        "seasons": "summer, winter, autumn",
        "senses": "hearing, sight vision, smell, taste, touch",
        "sports": """football soccer, cricket, tennis, basketball, baseball, hockey, golf, rugby,
            volleyball, badminton, boxing, chess, swimming""",
        "subjects": """physics, chemistry, biology, mathematics maths math, history, geography,
            economics, psychology, philosophy, sociology, medicine, law, accounting""",
        "engineering": """mechanical, electrical, civil, chemical, aerospace aeronautical,
            biomedical, petroleum, automobile automotive, electronics ece""",
        "exams": """gre, gmat, cat, toefl, ielts, sat, act, gate, jee, neet, upsc, ssc, lsat, mcat,
            aipmt, bitsat, viteee, clat, nda, cds""",
        "schools": """harvard, stanford, mit, princeton, yale, oxford, cambridge, berkeley, caltech,
            cornell, ucla, iit, nit, iiit, bits, vit""",
        "organs": """heart, liver, kidney, lung, brain, stomach, skin, eye, ear, nose, tooth teeth,
            knee, hand, foot feet, leg, arm, neck, shoulder, chest, hip, throat""",
        "phones": "iphone, android, nexus, pixel, galaxy, blackberry, ipad",
        "fruit": "apple, banana, mango, grape, lemon, pineapple, strawberry, watermelon, tomato",
        "drinks": "coffee, tea, milk, water, beer, wine, vodka, whiskey, juice, soda",
        "instruments": "guitar, piano, violin, drum, flute, saxophone, cello, trumpet",
        "leaders": """trump, obama, clinton hillary, bush, sanders bernie, putin, modi, gandhi,
            nehru, kejriwal, hitler, stalin, lincoln, kennedy, reagan, nixon""",
        "degrees": "phd doctorate, mba, bachelor btech, master mtech, diploma",
        "states of matter": "solid, liquid, gas gases, plasma",
        "parts of speech": "noun, verb, adjective, adverb, pronoun, preposition, conjunction",
    }
)
