"""How assistants end an answer, and how they refuse one, in the languages most spoken. Data: see `answer_phrases`."""

#: Offers and wishes: the beginning of a sentence, in lower case, and where that could be content a word that follows.
CLOSINGS = (
    # English
    r"(?:please |do )?(?:feel free|let me know|don'?t hesitate|do not hesitate|just let me know|tell me if)\b",
    r"(?:i )?(?:really )?hope (?:this|that|it|you|the summary)\b.*(?:help|useful|need|enjoy|find|meets?|clear|"
    r"sense|looking)",
    r"if (?:you|there)\b.*(?:let me know|feel free|just ask|please ask|tell me|i can|i'd|i'll|i am|i'm|just say|"
    r"hesitate|happy to|glad to)",
    r"(?:would|do) you (?:like|want|need|have)\b.*(?:\?|$)|(?:is|was) there (?:any|some)thing\b|anything else\b",
    r"(?:can|may|could|shall|should) i (?:help|assist|do|provide|add|make|write|expand|clarify)\b",
    r"(?:i (?:can|could|will)|i'll|i'd|i'm|i am|happy to|glad to)\b.*(?:if you|help|more detail|longer|shorter|"
    r"translate|expand|adjust|questions)",
    r"(?:what|how)(?: else)? (?:would|do|can|may) (?:you|i)\b|thank(?:s| you) for (?:using|your|providing|"
    r"sharing|the transcript|asking)",
    r"you(?:'re| are) welcome|have a (?:great|nice|good|wonderful|lovely)\b|just ask\b|enjoy!?$|"
    r"happy to (?:help|adjust|expand|provide)",
    r"i(?:'ve| have)? (?:kept|tried|limited|followed|focused|avoided|summari[sz]ed|omitted)\b",
    r"(?:this|the|my|the above|above) (?:summary|response|answer|recap)\b.*(?:is|was|has|captures|covers|"
    r"includes|provides|follows"
    r"|does|contains|reflects|stays|focuses|adheres|meets|should)\b",
    r"(?:just say the word|ping me|reply (?:with )?[\"“'])|"
    r"need (?:a |any )?(?:longer|shorter|more|changes)(?: (?:version|detail|info|help|summar)\w*)?[,?]"
    r"|(?:that|this) (?:is|was) the summary\b|i (?:believe|think|trust) (?:this|that|it|these) (?:covers?|"
    r"captures?|summari[sz]es?)\b|these sentences (?:cover|capture|summari[sz]e)\b|the above (?:is|was) written\b|"
    r"no (?:further|other|more|additional) .*information (?:is|was)\b.*(?:transcript|provided)",
    r"(?:end|(?:the )?end of (?:the )?(?:text|summary|transcript|response|output))[.!]?$|(?:best|kind|warm) regards\b|"
    r"(?:your )?(?:ai )?assistant$|confidence(?: score| level)?\s*:\s*(?:\d|high|medium|low)",
    # French, Italian, Spanish, Portuguese, Romanian
    r"(?:ne |n')hésite[zs]?\b|faites[- ]moi savoir|(?:dites|dis)[- ]moi\b|j'espère que (?:cel?a|ça|ce|vous)|"
    r"(?:souhaitez|voulez|avez)[- ]vous|veux-tu|puis-je\b",
    r"si (?:vous|tu)\b.*(?:hésite|dites|faites|je peux|je suis|demande)|ce résumé\b|je (?:peux|reste|suis à)\b|"
    r"y a-t-il|bonne journée",
    r"(?:fammi|mi faccia|fatemi) sapere|non esit|se (?:hai|ha|vuoi|vuole|desider\w+|avete|ti|le)\b.*(?:sapere|"
    r"chied|esit|posso|dimmi)|spero che (?:questo|ti|le|sia|il)",
    r"(?:vuoi|vuole) che|vorresti|posso (?:aiutar|fare|aggiung)|hai bisogno|c'è altro|questo riassunto|"
    r"sono (?:qui|a disposizione)",
    r"(?:quedo|estoy) a (?:tu|su) disposición|cualquier (?:duda|cosa),|qualquer (?:dúvida|coisa),|"
    r"no du(?:de|des|den) en|(?:avísame|avíseme|házmelo|hágame|dime|dígame|déjame|déjeme|hazme)\b|"
    r"espero que (?:esto|te|le|este|sea|isso|isto|o resumo|tenha|ajude)",
    r"si (?:necesita|quiere|tiene|desea|hay)\w*\b.*(?:dime|díga|avís|pregunt|dud|saber|ayud|puedo)|(?:quieres?|"
    r"te gustaría|le gustaría|necesitas?|hay algo|puedo|deseas?|tienes alguna|en qué)\b.*\?",
    r"este (?:resumen|resumo)\b|estoy (?:aquí|a tu|a su)|puedo (?:ayudar|ofrecer|ampliar)|não hesite|"
    r"fique à vontade|sinta-se|(?:me avise|avise-me|diga-me|me diga|deixe-me)\b",
    r"se (?:você )?(?:precisar|quiser|tiver|desejar)\b.*(?:avis|dig|perg|ajud|posso|vontade|hesite)|"
    r"(?:você )?(?:gostaria|deseja|quer|precisa) (?:de|que|mais|alg)\b.*\?",
    r"posso ajudar|há (?:mais )?algo|estou (?:aqui|à disposição)|(?:spune|anunță|spuneți)-mi|dacă (?:ai|aveți|"
    r"dori|vre)\w*\b|sper că|(?:vrei|doriți|dorești|ai dori) (?:să|mai|alt)|nu ezita",
    # German, Dutch, Swedish, Danish, Norwegian, Finnish
    r"lass(?:en sie)? (?:es )?mich\b|sag(?:en sie)? (?:mir )?(?:einfach |gerne? )?bescheid|(?:zögern|"
    r"melden) sie\b|ich hoffe\b|(?:möchten sie|möchtest du|soll ich|darf ich)\b",
    r"(?:wenn|falls|sollten|solltest) (?:sie|du)\b.*(?:bescheid|wissen|gern|frag|helf|hilfe)|kann ich (?:ihnen|"
    r"dir|noch)|(?:haben|brauchen|benötigen) sie (?:noch|weitere|fragen|mehr|etwas)|(?:hast|"
    r"brauchst) du (?:noch|weitere|fragen|mehr|etwas)",
    r"gibt es noch|diese zusammenfassung|ich stehe\b|gerne? (?:helfe|kann|passe)\b|bei (?:weiteren )?fragen|"
    r"laat (?:het )?(?:me|mij)\b|als (?:je|u)\b.*(?:laat|vraag|help|weten)",
    r"ik hoop dat|(?:wil je|wilt u|zou je|zou u)\b|kan ik\b|heb je nog|heeft u nog|is er nog|deze samenvatting|"
    r"aarzel niet|hör av dig|låt mig veta|säg (?:till|bara)|tveka inte",
    r"om du\b.*(?:säg|hör|fråg|vet|hjälp)|(?:jag )?hoppas\b|vill du\b.*\?|kan jag\b.*\?|behöver du\b.*\?|"
    r"finns det något|(?:den här|denna) sammanfattning|lad mig vide|la meg vite",
    r"sig (?:til|endelig)|si (?:fra|ifra)|tøv ikke|hvis du\b.*(?:vid|vite|sig|si fra|spør|hjælp|hjelp)|"
    r"(?:jeg )?h[åa](?:ber|per)\b|(?:vil|ønsker|har) du\b.*\?|(?:skal|kan) jeg\b.*\?",
    r"kerro(?:thän)?\b|ilmoita\b|jos (?:sinulla|haluat|tarvitset)\b.*(?:kerro|kysy|auta|ilmoita)|toivottavasti|"
    r"(?:haluatko|tarvitsetko|voinko)\b|onko (?:jotain|sinulla)",
    # Polish, Czech, Slovak, Hungarian, Russian, Ukrainian, Greek, Turkish
    r"daj(?:cie)? (?:mi )?znać|proszę (?:dać|daj|o kontakt)|jeśli (?:masz|chcesz|potrzebujesz|mają|chcą|"
    r"coś)\b.*(?:znać|pyta|pomo|chętnie)|mam nadzieję|nie wahaj|to podsumowanie",
    r"czy (?:chcesz|chciał\w*|potrzebujesz|mogę|masz|jest coś|mam)\b.*\?|(?:dej|daj)(?:te)? (?:mi )?v(?:ědět|"
    r"edieť)|(?:pokud|ak) (?:máš|máte|chcete|chceš|potřeb|potreb)\w*|(?:doufám|dúfam)",
    r"(?:chcete|přejete si|mohu|môžem)\b.*\?|neváhej(?:te)?|neváhaj(?:te)?|nezdráhejte|szólj|remélem|ha (?:bármi|"
    r"további|kérdés|szeretn)\w*\b|szeretné[dl]?\b.*\?|segíthetek|van még\b.*\?",
    r"дай(?:те)? (?:мне |мені )?знат[ьи]|(?:если|якщо) (?:у (?:вас|тебя)|вам|тебе|вы|ви|ты|хот|нужн|есть|є|потр|"
    r"понадоб|возник)\w*|(?:надеюсь|сподіва\w+)\b|обращай(?:тесь|ся)|звертай(?:теся|ся)|могу сделать\b",
    r"(?:хотите|хочешь|хотели бы|желаете|нужн[аоы]? ли|могу ли|чем (?:ещ|могу)|есть ли|бажаєте|хочете|"
    r"чи (?:потр|можу|хоч|є))\w*\b.*\?|не стесняйтесь|сообщите|это (?:резюме|краткое)",
    r"ενημερ[ώω]σ\w+ με|πε[ίς]τε? μου|πες μου|αν (?:χρει|θέλ|έχ)\w*|ελπίζω|(?:θα )?(?:θέλατε|θέλετε|ήθελες|"
    r"ήθελε)\b|μπορώ να|μη(?:ν)? διστ",
    r"(?:başka|daha fazla|ek|herhangi|eğer)\b.*(?:var mı|ister|misiniz|mısınız|bildir|sorabil|söyle|çekinme|"
    r"yardım)|umarım|lütfen (?:bana )?(?:bildir|söyle|sor|çekinme)|bana (?:bildir|söyle)|yardımcı olab|çekinmey",
    # Arabic, Persian, Hebrew, Hindi, Bengali, Urdu, Tamil, Telugu
    r"هل (?:ترغب|تريد|تود|تحتاج|هناك|يمكنني|لديك)|أخبرني|أعلمني|لا تتردد|إذا (?:كنت|كان لديك|أردت|احتجت|رغبت)|"
    r"(?:آمل|أتمنى|أرجو) أن|يسعدني|هذا الملخص|يرجى إعلامي",
    r"اگر (?:سوال|سؤال|نیاز|می‌خواهید|مایل|آپ)|امیدوارم|آیا (?:می‌خواهید|مایل|نیاز|سوال)|"
    r"لطفا\w? (?:به من )?(?:بگویید|اطلاع)|אם (?:תרצה|יש ל|אתה צריך|תצטרך)|אשמח|האם (?:תרצה|יש|אוכל)|מקווה|ספר לי",
    r"(?:अगर|यदि) (?:आप|कुछ|कोई).*(?:बता|पूछ|मदद|संकोच|सकत)|क्या (?:आप|मैं)|(?:मुझे )?(?:आशा|उम्मीद) है|"
    r"(?:कृपया )?(?:मुझे )?(?:बताएं|बताएँ|बताइए)",
    r"(?:যদি )?(?:আপনার|আপনি|আরও|আরো|কোনো).*(?:জানান|জানাবেন|চান|প্রয়োজন|বলুন|জিজ্ঞাসা)|আশা করি|আমাকে জানান|"
    r"আমি কি |کیا (?:آپ|میں)|امید ہے|مجھے بتائیں",
    r"(?:மேலும்|வேறு|உங்களுக்கு).*(?:தெரிவி|கேளு|கேட்க|வேண்டுமா|சொல்ல|உதவி)|(?:మరింత|మీకు|ఇంకా).*(?:తెలియ|అడగ|"
    r"చెప్ప|కావాలా|సహాయ)|(?:तुम्हाला|आणखी).*(?:सांगा|विचारा|मदत)",
    # Vietnamese, Indonesian, Thai, Swahili, Filipino
    r"(?:hãy|vui lòng|xin)(?: hãy)? (?:cho|nói|báo)|nếu (?:bạn|anh|quý|cần)\b|(?:tôi )?hy vọng|"
    r"bạn (?:có )?(?:muốn|cần)\b.*\?|tôi có thể|(?:beri ?tahu|kabari|hubungi|beritahukan)\b",
    r"(?:jika|kalau|bila|apabila) (?:anda|kamu|ada|perlu|butuh|ingin)\b.*(?:beri|tahu|tanya|bantu|silakan|ragu|"
    r"hubungi|kabar)|semoga (?:ini|ringkasan|membantu)|apakah (?:anda|kamu|ada|saya)\b|jangan ragu|ada (?:yang|"
    r"lagi)\b.*\?",
    r"(?:หาก|ถ้า)(?:คุณ)?(?:ต้องการ|มี)|หวังว่า|ต้องการให้|แจ้งให้|มีอะไร|บอกฉัน|โปรดแจ้ง|(?:nijulishe|"
    r"niambie)\b|kama (?:una|unahitaji)\b|natumai|je,? ungependa|(?:sabihin|ipaalam)\b|kung (?:may|kailangan|"
    r"gusto)\b",
    # Chinese, Japanese, Korean
    r"有(?:任何|什么)?(?:问题|疑问|需要).*(?:欢迎|随时)|以上(?:就)?是.*(?:总结|總結|摘要|概括|内容)|"
    r"以上[、,]?(?:が)?.*要約|이상(?:으로|입니다)|"
    r"(?:如果|如|若)(?:您|你|有|需|还|還|想).*(?:告诉|告訴|随时|隨時|请|請|联系|提问|问我|帮)|希望(?:这|這|对|"
    r"對|能|以上|本|我).*(?:帮|幫|助|有用|满意|需求)|请?(?:随时|隨時|告诉我)",
    r"(?:您|你)?(?:还|還)?(?:想|需要|要|希望).*(?:吗|嗎)|(?:还|還)?有(?:什么|什麼|其他|别的|任何).*(?:吗|嗎|"
    r"问题|需要|帮)|(?:是否|要不要)",
    r"(?:他に|ほかに|もし|何か|さらに|もっと|ご不明|追加|必要|詳し).*(?:ください|ますか|でしょうか|お知らせ|"
    r"教えて|お気軽|どうぞ)|お役に立|ご質問|お気軽に|いかがでしょうか|参考になれば",
    r"(?:더|추가|다른|혹시|필요|궁금|도움|언제든).*(?:말씀|알려|문의|주세요|까요|십시오|질문|바랍니다|되었|되셨|"
    r"되길)|무엇을 도와",
)  # fmt: skip

#: Excuses: the beginning of a sentence, in lower case.
SORRY = (
    r"(?:i'?m |i am |we'?re )(?:so |very |really |deeply )?(?:sorry|afraid)\b|sorry(?:[,.!:;]| (?:but|i|for|we|"
    r"about)\b)|my apologies|i apologi[sz]e|apologies\b",
    r"(?:je suis |nous sommes )?(?:vraiment |sincèrement )?désolée?\b|je (?:m'excuse|regrette)|"
    r"(?:es )?tut mir (?:sehr )?leid|entschuldig|lo siento|lamento\b|disculp|desculp|sinto muito",
    r"mi (?:dispiace|scuso)|(?:het )?spijt me|förlåt|(?:jag )?är ledsen|(?:jeg )?beklager|undskyld|pahoittelen|"
    r"anteeksi|przykro mi|przepraszam|omlouvám|ospravedl|sajnálom|elnézést|îmi pare rău|scuz",
    r"извин|прошу прощения|(?:мне )?(?:очень )?жаль,|вибач|перепрош|съжалявам|λυπάμαι|συγγνώμη|üzgünüm|"
    r"özür dile|عذر[ًا]|أعتذر|آسف|متأسف|متاسف|(?:אני )?מצטער|معذرت|معاف",
    r"क्षमा|माफ़|माफ कर|मुझे खेद|দুঃখিত|মাফ করবেন|மன்னிக்க|క్షమించ|xin lỗi|(?:tôi )?(?:rất )?(?:lấy làm )?tiếc|"
    r"(?:mohon )?maaf\b|ขออภัย|ขอโทษ|samahani|paumanhin|pasensya",
    r"(?:很|非常|十分|真的?)?(?:抱歉|对不起|對不起)|不好意思|(?:大変)?申し訳|すみません|ごめん|恐れ入り|죄송|"
    r"미안합니다",
)
#: Regrets, which refuse where they are about the transcript.
SORRY_FOR = (
    r"unfortunately|regrettably|malheureusement|leider|lamentablemente|desafortunadamente|infelizmente|"
    r"purtroppo|helaas|tyvärr|desværre|dessverre|valitettavasti",
    r"niestety|bohužel|žiaľ|sajnos|din păcate|к сожалению|на жаль|за съжаление|δυστυχώς|maalesef|ne yazık|للأسف|"
    r"متأسفانه|לצערי|افسوس|दुर्भाग्य|दुर्भाग्यवश|দুর্ভাগ্য",
    r"துரதிர்ஷ்ட|దురదృష్ట|rất tiếc|thật không may|sayangnya|น่าเสียดาย|kwa bahati mbaya|sa kasamaang|遗憾|"
    r"很遗憾|可惜|残念ながら|안타깝",
)
#: What a model says that it is; of itself, at the beginning of a sentence.
I_AM = (
    r"(?:i am|i'm|as) an? (?:ai|artificial intelligence|large language model|language model|virtual assistant|"
    r"text-based)\b(?: (?:language )?(?:model|assistant|system|chatbot|program))?(?:,| that| and| i\b| created|"
    r" developed| trained|\.)",
    r"en tant (?:qu'(?:ia\b|intelligence|assistant)|que (?:modèle|grand modèle|assistant))|je suis une? (?:ia\b|"
    r"intelligence artificielle|modèle|assistant)|als (?:ein )?(?:große[sn]? )?(?:ki\b(?!-)|"
    r"ki-(?:sprach|assist|modell|system|chatbot)|sprachmodell|künstliche|ai\b|taalmodel)",
    r"ich bin (?:ein|eine) (?:ki\b|ki-|sprachmodell|künstliche)|como (?:un |una |um |uma )?(?:ia\b|"
    r"modelo de (?:lenguaje|linguagem)|inteligencia artificial|inteligência artificial|asistente|assistente)",
    r"soy (?:un|una) (?:ia\b|modelo|inteligencia|asistente)|sou (?:um|uma) (?:ia\b|modelo|inteligência|"
    r"assistente)|in quanto (?:ia\b|modello|intelligenza|assistente)|come (?:modello|ia\b|"
    r"intelligenza artificiale)",
    r"som (?:en )?(?:ai\b|ai-|språkmodell|sprogmodel)|tekoälynä|kielimallina|jako (?:model językowy|ai\b|"
    r"sztuczna|jazykový model|umělá)|mint (?:ai|nyelvi modell|mesterséges)|ca (?:model|ia\b|inteligență)",
    r"(?:как|я) (?:ии\b|искусственный|языковая модель|большая языковая)|(?:як|я) (?:ші\b|штучний|мовна модель)|"
    r"ως (?:γλωσσικό|τεχνητή|ai)|(?:bir )?(?:yapay zeka|dil modeli)\w* olarak|كنموذج|بصفتي|باعتباري|"
    r"به عنوان (?:یک )?(?:مدل|هوش)|כמודל",
    r"(?:एक )?(?:ai|एआई|कृत्रिम)\s?(?:भाषा )?(?:मॉडल)? के रूप में|(?:একটি )?(?:ai|এআই).*হিসেবে|ai کے طور|"
    r"là (?:một )?(?:mô hình|ai|trí tuệ)|sebagai (?:sebuah )?(?:model bahasa|ai\b|asisten|kecerdasan)|ในฐานะ|"
    r"kama (?:ai|modeli)|bilang (?:isang )?ai",
    r"(?:作为|作為|我是)一?[个個名款]?(?:ai|人工智能|人工智慧|(?:大型?)?语言模型|語言模型)|(?:私は)?(?:ai|"
    r"大規模言語モデル|言語モデル|人工知能)(?:アシスタント)?(?:として|なので|です|であるため)|(?:저는 )?(?:ai|"
    r"인공지능|언어 모델).*(?:로서|이므로|입니다|이기 때문)",
)
#: What a model cannot do, of itself.
CANNOT = (
    r"(?:sorry,? )?(?:but )?i(?:'m| am)? (?:can'?t|cannot|can not|could not|couldn'?t|unable to|not able to|"
    r"won'?t|will not|must decline)\s?(?:to )?(?:be able to )?(?:summar|help|assist|provide|fulfil|comply|"
    r"create|generate|process|access|see|read|do that|do this|write|continue|engage|discuss|answer|find|"
    r"complete|produce|offer)",
    r"i (?:do not|don'?t|did not|didn'?t) (?:have|see|receive|find|know|understand)\b.*(?:transcript|text|"
    r"content|access|information|enough|stream|audio|summar)|i need (?:the|more|a) (?:\w+ )?(?:transcript|"
    r"context|information|text|content)",
    r"(?:je ne (?:peux|suis)|je n'ai)\b.*(?:résum|transcri|aider|accès|fourni|répond|trait)|ich (?:kann|"
    r"habe)\b.*(?:nicht|kein).*(?:zusammen|helf|transkr|zugriff|bereit|text)",
    r"no (?:puedo|tengo)\b.*(?:resum|ayud|transcri|acceso|proporcion|generar|cumplir)|não (?:posso|tenho|"
    r"consigo)\b.*(?:resum|ajud|transcri|acesso|fornec|gerar|cumprir)|non (?:posso|ho|riesco)\b.*(?:riass|aiut|"
    r"trascri|access|forn)",
    r"ik (?:kan|heb)\b.*(?:niet|geen).*(?:samenvat|help|transcri|toegang)|nie (?:mogę|mam|"
    r"jestem w stanie)\b.*(?:podsum|streś|pomó|transkry|dostęp)|я не (?:могу|имею|вижу|можу|маю)\b|у меня нет\b|"
    r"не могу (?:помочь|составить|выполнить|предоставить)",
    r"δεν μπορώ\b|yardımcı olamam|özetleyemem|bunu yapamam|لا (?:أستطيع|يمكنني|أملك)|ليس لدي|نمی‌توانم|"
    r"אני לא (?:יכול|רואה)|אין לי|मैं (?:यह |इस |इसे |आपकी )?.*(?:नहीं कर सकत|असमर्थ)|আমি .*(?:পারি না|পারছি না|"
    r"অক্ষম|পারব না)|میں .*(?:نہیں کر سکت|قاصر)",
    r"tôi không (?:thể|có)\b|saya tidak (?:dapat|bisa|memiliki)\b|(?:ฉัน|ผม|ดิฉัน)?ไม่สามารถ.*(?:ได้|สรุป)|"
    r"siwezi\b|hindi ko (?:kaya|maaari)|我(?:无法|無法|不能|没有办法|没有收到|沒有收到|没有看到|沒有)|"
    r"无法(?:提供|总结|为您|协助)|無法(?:提供|總結)|お手伝いできません|要約(?:することは|を)?でき(?:ません|"
    r"かねます)|(?:요약|도와)[^.]{0,12}(?:수 없|못)",
)
#: Asking for what was given. Tokens: a request, then the transcript's name somewhere in the sentence.
PLEASE = (
    r"please\b|(?:could|can|would|will) you (?:please )?(?:provide|share|paste|send|give)|(?:provide|share|"
    r"paste|send) (?:me )?(?:the|a|your)\b|i(?:'m| am) ready\b|i(?:'d| would) be (?:happy|glad)\b|i(?:'ll|"
    r" will) need\b|it (?:looks|seems|appears)\b",
    r"there (?:is|was|seems to be|appears to be) no\b|no (?:transcript|text|content)\b|you (?:haven'?t|have not|"
    r"didn'?t|did not)\b|(?:once|when|as soon as) you (?:provide|share|send|paste)|(?:the|"
    r"your) (?:provided )?transcript (?:is|was|seems|appears) (?:empty|missing|incomplete|blank|not (?:provided|"
    r"included|available|there))",
    r"veuillez\b|s'il (?:vous|te) plaît|merci de\b|pourriez-vous|pouvez-vous|il semble|bitte\b|(?:könnten|"
    r"können) sie\b|könntest du|es scheint|es sieht so aus|por favor\b|(?:podrías?|puedes?|podría)\b|parece que|"
    r"(?:poderia|pode|você pode)\b|per favore\b|(?:potresti|potrebbe|puoi)\b|sembra che",
    r"alsjeblieft|alstublieft|gelieve|(?:kunt u|kun je)\b|geef\b|vänligen|kan du\b|venligst|vennligst|ole hyvä|"
    r"voisitko|proszę\b|(?:czy )?możesz\b|prosím\b|můžete|kérem|vă rog|te rog|пожалуйста|предоставьте|пришлите|"
    r"будь ласка|надайте|παρακαλώ|lütfen|(?:من فضلك|يرجى|الرجاء|أرجو تزويدي|هل يمكنك)",
    r"لطفا|בבקשה|אנא|कृपया|অনুগ্রহ|দয়া করে|براہ کرم|தயவு|దయచేసి|vui lòng|xin (?:hãy|vui)|hãy\b|silakan|mohon|"
    r"tolong|harap|กรุณา|โปรด|ช่วย|tafadhali|pakibigay|maaari (?:mo|ba)|请|請|麻烦|您(?:没有|未|可以)|你(?:没有|"
    r"未)|看起来|文字起こしを|台本を|トランスクリプトを|要約する.*ください|(?:대본|녹취록|스크립트|전사본)을",
)

#: Thinking aloud about the task, anywhere in a sentence, in lower case.
REASONING = (
    r"\bthe user(?:'s)? (?:wants|is asking|asks?|asked|needs|provided|has (?:provided|given|asked)|gave|"
    r"request\w*|would like|query|instruction\w*)\b.*(?:summar|transcript|sentence|me\b|translat|write|text|"
    r"stream)",
    r"^(?:(?:okay|ok|alright|so|now|well|hmm+|first|then|next|also|but|and|since|therefore|thus|"
    r"finally)[,.:]? )*(?:i|we) (?:need|have|should|must|want|ought|am going|'m going|are going|are asked|"
    r"am asked|are told)\b(?: to)? (?:to )?(?:write|summari[sz]e|produce|create|craft|output|answer|respond|"
    r"make sure|keep it|follow the|mention|include|extract|be (?:brief|concise|careful)|generate|condense|shorten)\b",
    r"^(?:(?:okay|ok|alright|so|now|well|hmm+|first|wait|hm|right)[,.:]? )*(?:let me|let's|lets) (?:think|see|work|put|"
    r"start|read|look|analy[sz]e|break|write|craft|summari[sz]e|figure|check|parse|go (?:through|over)|recall|"
    r"draft|re-?read|make sure|process|tackle|identify|produce)\b",
    r"^(?:hmm+|hm|okay,? so|ok,? so|alright,? so|thinking process|(?:my )?(?:reasoning|thoughts?(?: process)?|thinking|"
    r"analysis|chain of thought|internal monologue))\b\s?[,.:…]",
    r"^(?:so,? |okay,? |now,? )?the (?:task|instructions?|prompt|system prompt) (?:is to|is:|says?|states?|"
    r"asks?|requires?|wants?)\b.*(?:summar|transcript|sentence|text|write|output|answer|language|english|plain|brief|concise)|"
    r"^i(?:'ll| will) (?:write|summari[sz]e|keep|craft|make sure|produce)\b",
    r"\b(?:two|three|2|3|2-3|two or three|two to three) (?:plain |short )?sentences\b.*\b(?:should|need|must)\b|"
    r"\b(?:should|must) (?:i|we|be) (?:write|in (?:english|french|german|spanish)|concise|brief)\b",
    r"l'utilisateur (?:veut|demande|souhaite|a (?:fourni|demandé|besoin))|\bje dois (?:résumer|écrire|rédiger|"
    r"faire|produire|répondre)|(?:der|die) (?:be)?nutzer(?:in)? (?:möchte|will|hat|bittet|fragt|braucht)|"
    r"\bich (?:muss|soll|sollte|werde) .*(?:zusammenfass|schreib|formulier|antwort)",
    r"el usuario (?:quiere|pide|solicita|ha|necesita|me)|\b(?:debo|necesito|tengo que|voy a) (?:resumir|"
    r"escribir|redactar|hacer|responder|crear)|o usuário (?:quer|pede|pediu|solicit|forneceu|precisa)|\b(?:devo|"
    r"preciso|vou) (?:resumir|escrever|fazer|criar|responder)|l'utente (?:vuole|chiede|ha|desidera)|"
    r"\bdevo (?:riassumere|scrivere)",
    r"de gebruiker (?:wil|vraagt|heeft)|\bik moet .*(?:samenvat|schrijv)|użytkownik (?:chce|prosi|poda)|"
    r"muszę (?:napisać|podsumować|streścić)|пользовател[ьюя]\w* (?:хочет|просит|нужн|попросил|предостав|дал)|"
    r"(?:мне|нам) (?:нужно|надо|следует) (?:написать|составить|кратко|сделать|обобщить)|користувач (?:хоче|"
    r"просить)",
    r"kullanıcı .*(?:istiyor|istedi|verdi)|özetlemem (?:gerek|lazım)|المستخدم (?:يريد|يطلب|طلب|قدم)|(?:يجب|علي|"
    r"أحتاج) (?:علي )?(?:أن )?(?:أكتب|ألخص|تلخيص)|کاربر (?:می‌خواهد|از من)|उपयोगकर्ता .*(?:चाहता|चाहते|ने)|"
    r"मुझे .*(?:सारांश|लिखना).*(?:है|चाहिए)|ব্যবহারকারী .*(?:চান|চায়|চেয়েছে)|người dùng (?:muốn|yêu cầu|đã)|"
    r"tôi cần (?:viết|tóm tắt)",
    r"pengguna (?:ingin|meminta|memberi)|saya (?:perlu|harus) (?:menulis|meringkas|merangkum|membuat)|"
    r"ผู้ใช้(?:ต้องการ|ขอ)|用户(?:想|要|希望|需要|让|请|提供|给)|用戶(?:想|要|希望|需要|讓)|我(?:需要|应该|應該|"
    r"得|要|先)(?:来|來)?(?:总结|總結|写|寫|概括|分析|先|用|看|把|阅读)|ユーザー(?:は|が|の(?:要求|依頼))|"
    r"(?:要約|書)(?:する|く)(?:必要がある|べき|必要があります)|사용자(?:가|는|의 요청).*(?:요청|원하|원한|요약)|"
    r"요약해야",
)  # fmt: skip
