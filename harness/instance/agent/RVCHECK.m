RVCHECK ; prints the state of a restored instance for the harness to judge; changes nothing
 ; Runs unchanged on IRIS and GT.M. The globals are described in RVWORK.
 quit
 ;
summary(w) ;
 ; Everything but the history, of all writers; w is ignored. One fact a line, fields between bars:
 ;   w|writer        a subscript found at the writers' level of any global
 ;   s|writer|one|two|confirmed      empty if a node is not there
 ;   b|writer|account|balance
 ;   t|writer|i|value|child
 ;   l|writer|slot|value
 ;   n|counter       and last: end
 new a,i,k,w
 do writers
 set w="" for  set w=$order(w(w)) quit:w=""  do
 . write "w|",w,!
 . write "s|",w,"|",$get(^RVAS(w)),"|",$get(^RVBS(w)),"|",$get(^RVAC(w)),!
 . set a="" for  set a=$order(^RVA("b",w,a)) quit:a=""  write "b|",w,"|",a,"|",^RVA("b",w,a),!
 . set i="" for  set i=$order(^RVB("t",w,i)) quit:i=""  write "t|",w,"|",i,"|",$get(^RVB("t",w,i)),"|",$get(^RVB("t",w,i,1)),!
 . set k="" for  set k=$order(^RVB("l",w,k)) quit:k=""  write "l|",w,"|",k,"|",^RVB("l",w,k),!
 write "n|",$get(^RVA("n")),!
 write "end",!
 quit
 ;
writers ;
 ; Collects every writer any global knows into w(), so that a foreign one cannot hide.
 new x
 set x="" for  set x=$order(^RVAS(x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVBS(x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVAC(x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVA("b",x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVB("h",x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVB("t",x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVB("l",x)) quit:x=""  set w(x)=""
 quit
 ;
history(w) ;
 ; The history nodes of writer w in order, one value a line. Before a node whose subscript is not the one
 ; after the node before, a line "@" and the subscript. Last: "end" and the number of nodes.
 ; Lines are gathered to a thousand characters, since a WRITE costs more than a node.
 new b,c,i,n
 set b="",c=0,i="",n=0
 for  set i=$order(^RVB("h",w,i)) quit:i=""  do
 . set n=n+1,c=c+1
 . if n'=i set b=b_"@"_i_$char(10),n=i
 . set b=b_^RVB("h",w,i)_$char(10)
 . if $length(b)>1000 write b set b=""
 write b,"end ",c,!
 quit
