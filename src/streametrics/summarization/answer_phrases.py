"""What assistants say around a summary, in the languages most spoken. Data only: stems of phrases, in lower case.

Each is one regular expression, matched against text in lower case with plain apostrophes. A text in a language that is
not here is judged by its form alone; see `answer_remarks`.
"""


def _any(*phrases: str) -> str:
    return "|".join(phrases)


#: A summary, by any name.
SUMMARY = _any(
    r"summar(?:y|ies|i[sz]ation)\b|recap\b|overview\b|synopsis\b|tl;?dr\b|gist\b",
    r"r[ée]sum[ée]s?\b|r[ée]capitulatif|synth[èe]se|aper[çc]u\b|zusammenfassung|kurzfassung|überblick|übersicht",
    r"resumen|s[íi]ntesis|sinopsis|resumo|sum[áa]rio|s[íi]ntese|riassunto|sintesi\b|riepilogo|samenvatting|overzicht",
    r"sammanfattning|sammenfatning|opsummering|sammendrag|oppsummering|tiivistelmä|yhteenveto",
    r"podsumowani|streszczeni|shrnutí|souhrn|zhrnutie|súhrn|összefoglal|rezumat|sažet|rezime|сажетак",
    r"резюме|сводк|краткое (?:содержание|изложение|описание)|обобщени|підсумок|стислий виклад|короткий (?:зміст|"
    r"виклад)",
    r"περίληψη|σύνοψη|özet|ملخص|خلاصة|تلخيص|خلاصه|סיכום|תקציר|خلاصہ|सारांश|संक्षेप|সারাংশ|সারসংক্ষেপ|সংক্ষিপ্তসার",
    r"சுருக்க|సారాంశ|ಸಾರಾಂಶ|സംഗ്രഹ|સારાંશ|ਸਾਰ\b|tóm tắt|ringkasan|rangkuman|ikhtisar|\bbuod\b|muhtasari|สรุป",
    r"摘要|总结|總結|概述|概要|小结|小結|综述|概括|要約|まとめ|サマリー|요약|개요",
)
#: What was summarized, by any name.
TRANSCRIPT = _any(
    r"trans[ck]ri(?:pt|bed|ção|zione|pción)|transkry|mitschrift|abschrift|utskrift|přepis|prepis|átirat",
    r"транскри|расшифровк|стенограмм|розшифровк|απομαγνητοφ|μεταγραφ|döküm|תמליל|नकल|प्रतिलिपि|प्रतिलेख|ट्रांसक्रिप्ट",
    r"প্রতিলিপি|ট্রান্সক্রিপ্ট|ٹرانسکرپٹ|ترانسکریپت|رونوشت|النص\b|نص\b|التفريغ|متن|bản ghi|bản chép|phiên âm|"
    r"บทถอดเสียง|บทสนทนา|ทรานสคริปต์|ข้อความ",
    r"文字稿|转录|轉錄|转写|逐字稿|文本|文稿|字幕|记录内容|文字起こし|書き起こし|台本|トランスクリプト|녹취|"
    r"대본|스크립트|전사|자막",
)
#: Before an answer: `Answer: …`, in few words.
ANSWER = _any(
    r"(?:final |short |my )?(?:answer|response|output)|réponse(?: finale)?|antwort|respuesta|resposta",
    r"risposta|antwoord|svar|vastaus|odpowiedź|odpověď|válasz|răspuns|ответ|відповідь|απάντηση|cevap|yanıt",
    r"الإجابة|الجواب|پاسخ|תשובה|उत्तर|জবাব|উত্তর|câu trả lời|jawaban|jibu|คำตอบ|最终答案|答案|回答|回复|答え|답변",
)
#: What begins a sentence that announces the summary.
HERE_IS = _any(
    r"here(?:'s| is| are| you go| it is| it goes| goes)\b|below (?:is|you)\b|the following (?:is|are)\b|"
    r"this is (?:a|the|my)\b",
    r"i(?:'ve| have)? (?:written|summari[sz]ed|created|prepared|put together)\b|i(?:'ll| will) summari[sz]e|"
    r"in the following",
    r"voici|voilà|ci-dessous|ceci est|hier (?:ist|sind|kommt|eine?)\b|nachfolgend|im folgenden|anbei|dies ist",
    r"aquí (?:está|tienes|tiene|va|te|le|hay)|a continuación|est[ea] es|he aquí|aqui (?:está|vai|tem|estão)|"
    r"segue\b|a seguir|est[ea] é|eis\b",
    r"ecco|di seguito|questo è|hier (?:is|volgt|zijn)\b|hieronder|dit is|här (?:är|kommer|följer)|nedan|"
    r"detta är|her (?:er|kommer|følger)",
    r"nedenfor|dette er|tässä|ohessa|alla on|oto\b|poniżej|to jest|zde je|tady je|níže|tu je|nižšie|íme|"
    r"itt (?:van|a)|az alábbi",
    r"iată|mai jos|aceasta este|вот\b|ниже|представляю|предлагаю|это (?:краткое|резюме)|ось\b|нижче|ето\b|evo\b|ево\b",
    r"εδώ είναι|ακολουθεί|παρακάτω|ορίστε|işte|aşağıda|إليك|فيما يلي|هذا هو|هذه هي|هذا ملخص|تفضل|در اینجا|"
    r"این (?:یک|خلاصه)|در زیر",
    r"הנה|להלן|यहाँ|यहां|यह (?:रहा|है)|ये रहा|प्रस्तुत है|निम्नलिखित|नीचे|এখানে|নিচে|এই (?:হল|হলো)|یہاں|"
    r"یہ (?:رہا|ہے)|درج ذیل|ذیل میں",
    r"இதோ|இங்கே|கீழே|ఇదిగో|ఇక్కడ|క్రింద|येथे|खाली|đây là|dưới đây|sau đây|berikut|ini(?:lah)? (?:adalah|"
    r"ringkasan|rangkuman)",
    r"นี่คือ|ต่อไปนี้|ด้านล่าง|huu ni|hapa|narito|ito ang|以下|这是|這是|下面|如下|こちら|次の|次は|これは|다음|"
    r"아래|여기|이것은",
)
#: Whole sentences that only say yes.
YES = _any(
    r"sure(?: thing)?|of course|certainly|absolutely|okay|ok|alright|all right|got it|understood|no problem|"
    r"great|gladly|yes|right",
    r"(?:i'?d|i would|i'?m|i am)?\s?(?:be )?(?:happy|glad|more than happy) to (?:help|assist)[\w ,']*|(?:my|"
    r"with) pleasure|thank you[\w ,']*",
    r"bien sûr|d'accord|certainement|entendu|avec plaisir|très bien|absolument|oui|natürlich|(?:sehr |"
    r"aber )?gerne?|klar|na klar|selbstverständlich",
    r"sicher|verstanden|in ordnung|alles klar|claro(?: que sí)?|por supuesto|desde luego|de acuerdo|entendido|"
    r"con (?:mucho )?gusto|sí|vale|perfecto",
    r"com certeza|certamente|sim|com prazer|perfeito|certo|va bene|volentieri|sì|capito|naturalmente|natuurlijk|"
    r"zeker|goed|oké|graag(?: gedaan)?|begrepen",
    r"självklart|visst|absolut|okej|naturligtvis|selvfølgelig|naturligvis|javisst|klart|ja|totta kai|tietysti|"
    r"toki|selvä|oczywiście|jasne|dobrze|pewnie",
    r"rozumiem|jistě|samozřejmě|dobře|jasně|iste|samozrejme|természetesen|persze|rendben|desigur|sigur|"
    r"bineînțeles|конечно|хорошо|разумеется|понял",
    r"понятно|да|с удовольствием|звичайно|звісно|добре|так|разбира се|βεβαίως|φυσικά|σίγουρα|εντάξει|elbette|"
    r"tabii(?: ki)?|tamam|peki|memnuniyetle",
    r"بالتأكيد|بالطبع|حسنًا|حسنا|نعم|تمام|طبعا|طبعًا|البته|حتما|حتماً|باشه|בטח|כמובן|בוודאי|ज़रूर|जरूर|बिल्कुल|"
    r"ठीक है|अवश्य|हाँ|निश्चित रूप से",
    r"অবশ্যই|নিশ্চয়ই|ঠিক আছে|ضرور|بالکل|جی ہاں|یقیناً|நிச்சயமாக|சரி|తప్పకుండా|సరే|नक्की|chắc chắn(?: rồi)?|"
    r"tất nhiên|được|vâng|dĩ nhiên|dạ",
    r"tentu(?: saja)?|baik|oke|ya|siap|แน่นอน(?:ครับ|ค่ะ)?|ได้(?:เลย)?(?:ครับ|ค่ะ)?|hakika|bila shaka|sawa|sige|"
    r"oo|siyempre",
    r"好的?|当然(?:可以)?|當然(?:可以)?|没问题|沒問題|明白了?|可以|是的|もちろん(?:です)?|はい|"
    r"承知(?:いた)?しました|わかりました|了解(?:しました|です)?|かしこまりました",
    r"네|물론(?:이죠|입니다)?|알겠습니다|좋습니다|그럼요",
)
#: Before a remark, with a colon: `Note: …`.
NOTE = _any(
    r"(?:please )?note(?: that)?|disclaimer|n\.?b\.?|p\.?s\.?|remarque|nota(?: bene)?|hinweis|anmerkung|"
    r"bemerkung|aviso|observa[çc]?(?:ión|ção)|avviso",
    r"opmerking|let op|obs|notera|bemærk|merk|merknad|huom(?:autus|aa)?|uwaga|poznámka|megjegyzés|notă|"
    r"примечание|замечание|примітка|забележка",
    r"σημείωση|not|ملاحظة|توجه|نکته|הערה|نوٹ|नोट|ध्यान दें|टिप्पणी|দ্রষ্টব্য|নোট|குறிப்பு|గమనిక|टीप|lưu ý|"
    r"ghi chú|catatan|หมายเหตุ|kumbuka|paalala",
    r"注意?|备注|備註|附注|说明|說明|注記|補足|備考|참고|주의|비고|word count|wordcount",
)
#: Who speaks, before a colon: the user, and the assistant.
USER = _any(
    r"user|human|customer|utilisat(?:eur|rice)|benutzer(?:in)?|nutzer(?:in)?|usuari[oa]|usuári[oa]|utente|"
    r"gebruiker|användare|bruger|bruker|käyttäjä",
    r"użytkownik|uživatel|felhasználó|utilizator|пользователь|користувач|потребител|χρήστης|kullanıcı|المستخدم|"
    r"کاربر|משתמש|उपयोगकर्ता|यूज़र|ব্যবহারকারী|صارف",
    r"người dùng|pengguna|ผู้ใช้|mtumiaji|用户|用戶|人类|ユーザー|사용자|instruction|system|question",
)
ASSISTANT = _any(
    r"assistant|ai|bot|chatbot|model|assistante|assistent(?:in)?|asistente|assistente|assistentti|avustaja|"
    r"asystent|asistent|asszisztens|ассистент",
    r"помощник|асистент|помічник|βοηθός|asistan|المساعد|دستیار|עוזר|सहायक|সহকারী|trợ lý|asisten|ผู้ช่วย|"
    r"msaidizi|助手|助理|アシスタント|어시스턴트|도우미|response",
)
#: What stands above a list.
LIST_HEAD = _any(
    r"(?:the )?(?:key|main|most important|important)\s?(?:points?|moments?|takeaways?|topics?|events?|facts)",
    r"highlights?",
    r"(?:les )?points (?:clés|principaux)|(?:wichtigste|kern)\w* (?:punkte|themen|ereignisse)|kernpunkte",
    r"puntos (?:clave|principales)|pontos (?:principais|chave|-chave)|punti (?:chiave|principali)",
    r"belangrijkste punten",
    r"ключевые (?:моменты|пункты)|основные (?:моменты|темы)|(?:önemli|ana) noktalar|النقاط (?:الرئيسية|الأساسية)",
    r"मुख्य (?:बिंदु|बातें)|要点|关键点|重点|主要内容|ポイント|主なポイント|주요 (?:내용|포인트|사항)",
)
#: What tells the words of somebody in the recording from an assistant's: `…, says Ada`. Behind a comma or such.
REPORTED = _any(
    r"says|said|asks|asked|tells|told|explains|explained|announces|announced|shouts|shouted|adds|added|"
    r"jokes|joked|writes|wrote|replies|replied|answers|answered|warns|warned",
    r"dit|demande|explique|ajoute|répond|sagt|sagte|fragt|fragte|erklärt|ruft|antwortet|dice|dijo|pregunta|explica|"
    r"responde|diz|disse|pergunta|chiede|spiega|risponde|zegt|vraagt|säger|frågar|siger|spør|mówi|pyta|říká|"
    r"говорит|сказала?|спрашивает|отвечает|каже|питає|λέει|diyor|soruyor|dedi",
)
#: Before the title of a summary, with a colon.
TITLE = r"title|titre|titel|título|titolo|tytuł|заголовок|название|标题|標題|タイトル|제목"
#: Words before such a verb with which an assistant speaks of itself and of its task.
NOBODY = r"i|you|we|it|as|to|was|prompt|instructions?|task|transcript|text|assistant|model|summary|je|ich|yo|eu|io|ik"
